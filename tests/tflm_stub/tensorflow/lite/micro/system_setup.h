#ifndef TFLM_STUB_SYSTEM_SETUP_H
#define TFLM_STUB_SYSTEM_SETUP_H

namespace tflite {

void InitializeTarget();

}  // namespace tflite

#endif
