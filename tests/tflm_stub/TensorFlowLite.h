// The header of the Arduino library, by which the IDE finds it.
#ifndef TFLM_STUB_TENSORFLOWLITE_H
#define TFLM_STUB_TENSORFLOWLITE_H
#endif
