// Runs text models in the format that README.md describes.

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/system_setup.h"

namespace {

// The text after a word at the start of a line; `index` counts the lines with the same word.
const char *line_of(const char *text, const char *word, size_t index = 0) {
    const size_t length = std::strlen(word);
    for (; std::strncmp(text, "end\n", 4) != 0; text = std::strchr(text, '\n') + 1) {
        if (std::strncmp(text, word, length) == 0 && text[length] == ' ' && index-- == 0)
            return text + length + 1;
    }
    return nullptr;
}

size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    while (line_of(text, word, count) != nullptr) ++count;
    return count;
}

unsigned long number_of(const char *text, const char *word) {
    const char *line = line_of(text, word);
    return line == nullptr ? 0 : std::strtoul(line, nullptr, 10);
}

unsigned char byte_at(const char *hex) {
    const char digits[] = {hex[0], hex[1], 0};
    return static_cast<unsigned char>(std::strtoul(digits, nullptr, 16));
}

}  // namespace

void MicroPrintf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    std::printf("\n");
    va_end(arguments);
}

namespace tflite {

void InitializeTarget() { MicroPrintf("target initialized"); }

std::uint32_t Model::version() const {
    return static_cast<std::uint32_t>(number_of(reinterpret_cast<const char *>(this), "schema"));
}

bool MicroOpResolver::Has(const char *name, size_t length) const {
    for (unsigned int i = 0; i < length_; ++i) {
        if (std::strlen(names_[i]) == length && std::strncmp(names_[i], name, length) == 0)
            return true;
    }
    return false;
}

TfLiteStatus MicroOpResolver::Add(const char *name) {
    if (Has(name, std::strlen(name))) {
        MicroPrintf("Calling AddBuiltin with the same op more than once is not supported");
        return kTfLiteError;
    }
    if (length_ >= capacity_) {
        MicroPrintf("Couldn't register builtin op, resolver size is too small (%u).", capacity_);
        return kTfLiteError;
    }
    names_[length_++] = name;
    return kTfLiteOk;
}

MicroAllocator *MicroAllocator::Create(std::uint8_t *tensor_arena, std::size_t arena_size) {
    static MicroAllocator allocator;
    allocator.arena = tensor_arena;
    allocator.size = arena_size;
    return &allocator;
}

MicroResourceVariables *MicroResourceVariables::Create(MicroAllocator *, int num_variables) {
    static MicroResourceVariables variables;
    variables.count = num_variables;
    return &variables;
}

MicroInterpreter::MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver,
                                   std::uint8_t *tensor_arena, std::size_t tensor_arena_size,
                                   MicroResourceVariables *resource_variables,
                                   MicroProfilerInterface *, bool)
    : model_(reinterpret_cast<const char *>(model)),
      resolver_(op_resolver),
      arena_(tensor_arena),
      arena_size_(tensor_arena_size),
      variables_(resource_variables) {}

MicroInterpreter::MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver,
                                   MicroAllocator *allocator,
                                   MicroResourceVariables *resource_variables,
                                   MicroProfilerInterface *)
    : MicroInterpreter(model, op_resolver, allocator->arena, allocator->size, resource_variables) {}

TfLiteStatus MicroInterpreter::AllocateTensors() {
    for (size_t i = 0; const char *name = line_of(model_, "operator", i); ++i) {
        const size_t length = static_cast<size_t>(std::strchr(name, '\n') - name);
        if (!resolver_.Has(name, length)) {
            MicroPrintf("Didn't find op for builtin opcode '%.*s'", static_cast<int>(length), name);
            return kTfLiteError;
        }
        if (std::strncmp(name, "VAR_HANDLE", length) == 0 && !(variables_ && variables_->count)) {
            MicroPrintf("VAR_HANDLE requires resource variables");
            return kTfLiteError;
        }
    }
    if (reinterpret_cast<std::uintptr_t>(arena_) % 16 != 0) {
        MicroPrintf("The arena is not aligned to 16 bytes");
        return kTfLiteError;
    }
    size_t used = 0;
    for (int is_output = 0; is_output < 2; ++is_output) {
        const char *kind = is_output ? "output" : "input";
        for (size_t i = 0; const char *line = line_of(model_, kind, i); ++i) {
            char *rest;
            TfLiteTensor &tensor = tensors_[is_output][i];
            tensor.type = static_cast<TfLiteType>(std::strtoul(line, &rest, 10));
            tensor.bytes = std::strtoul(rest, nullptr, 10);
            tensor.data.data = arena_ + used;
            used += (tensor.bytes + 15) / 16 * 16;
        }
    }
    if (used > arena_size_ || arena_used_bytes() > arena_size_) {
        MicroPrintf("Failed to allocate memory. Requested: %d, available %d",
                    static_cast<int>(arena_used_bytes()), static_cast<int>(arena_size_));
        return kTfLiteError;
    }
    return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke() {
    if (line_of(model_, "fail") != nullptr) return kTfLiteError;
    for (size_t i = 0; const char *hex = line_of(model_, "vector", i); ++i) {
        bool is_found = true;
        for (size_t t = 0; t < inputs_size(); ++t) {
            for (size_t byte = 0; byte < input(t)->bytes; ++byte, hex += 2)
                is_found = is_found && input(t)->data.uint8[byte] == byte_at(hex);
        }
        if (!is_found) continue;
        ++hex;  // the space between inputs and outputs
        for (size_t t = 0; t < outputs_size(); ++t) {
            for (size_t byte = 0; byte < output(t)->bytes; ++byte, hex += 2)
                output(t)->data.uint8[byte] = byte_at(hex);
        }
        // The memory of inputs is reused for other tensors: the next run must write them again.
        for (size_t t = 0; t < inputs_size(); ++t)
            std::memset(input(t)->data.raw, 0x55, input(t)->bytes);
        return kTfLiteOk;
    }
    MicroPrintf("The stub knows no such inputs");
    return kTfLiteError;
}

TfLiteTensor *MicroInterpreter::input(std::size_t index) { return &tensors_[0][index]; }
TfLiteTensor *MicroInterpreter::output(std::size_t index) { return &tensors_[1][index]; }
std::size_t MicroInterpreter::inputs_size() const { return count_of(model_, "input"); }
std::size_t MicroInterpreter::outputs_size() const { return count_of(model_, "output"); }
std::size_t MicroInterpreter::arena_used_bytes() const { return number_of(model_, "arena"); }

}  // namespace tflite
