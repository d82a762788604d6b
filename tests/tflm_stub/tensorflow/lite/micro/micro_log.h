#ifndef TFLM_STUB_MICRO_LOG_H
#define TFLM_STUB_MICRO_LOG_H

// TFLM does not let the compiler check formats; this stub does.
#ifdef TF_LITE_STRIP_ERROR_STRINGS
template <typename... Args>
void TflmStubUnused(Args &&...) {}
#define MicroPrintf(...) TflmStubUnused(__VA_ARGS__)
#else
__attribute__((format(printf, 1, 2))) void MicroPrintf(const char *format, ...);
#endif

#endif
