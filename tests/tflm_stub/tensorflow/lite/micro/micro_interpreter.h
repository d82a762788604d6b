#ifndef TFLM_STUB_MICRO_INTERPRETER_H
#define TFLM_STUB_MICRO_INTERPRETER_H

#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/core/c/common.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"

#define TFLITE_SCHEMA_VERSION (3)

namespace tflite {

class MicroProfilerInterface;

class MicroInterpreter {
   public:
    MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver,
                     std::uint8_t *tensor_arena, std::size_t tensor_arena_size,
                     MicroResourceVariables *resource_variables = nullptr,
                     MicroProfilerInterface *profiler = nullptr, bool preserve_all_tensors = false);
    MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver,
                     MicroAllocator *allocator,
                     MicroResourceVariables *resource_variables = nullptr,
                     MicroProfilerInterface *profiler = nullptr);

    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteTensor *input(std::size_t index);
    TfLiteTensor *output(std::size_t index);
    std::size_t inputs_size() const;
    std::size_t outputs_size() const;
    std::size_t arena_used_bytes() const;

   private:
    const char *model_;
    const MicroOpResolver &resolver_;
    std::uint8_t *arena_;
    std::size_t arena_size_;
    const MicroResourceVariables *variables_;
    TfLiteTensor tensors_[2][16] = {};
};

}  // namespace tflite

#endif
