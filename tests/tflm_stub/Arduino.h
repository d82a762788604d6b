// The functions of a sketch, as Arduino's core declares them (ArduinoCore-API, Common.h).
#ifndef TFLM_STUB_ARDUINO_H
#define TFLM_STUB_ARDUINO_H

extern "C" {
void setup(void);
void loop(void);
}

#endif
