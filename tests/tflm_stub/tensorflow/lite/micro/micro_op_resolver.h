#ifndef TFLM_STUB_MICRO_OP_RESOLVER_H
#define TFLM_STUB_MICRO_OP_RESOLVER_H

#include "tensorflow/lite/core/c/common.h"

namespace tflite {

class MicroOpResolver {
   public:
    bool Has(const char *name, size_t length) const;

   protected:
    MicroOpResolver(const char **names, unsigned int capacity)
        : names_(names), capacity_(capacity) {}

    // Fails with TFLM's messages if the operator is already registered or there is no room for it.
    TfLiteStatus Add(const char *name);

    const char **names_;
    unsigned int capacity_;
    unsigned int length_ = 0;
};

}  // namespace tflite

#endif
