#ifndef TFLM_STUB_SCHEMA_GENERATED_H
#define TFLM_STUB_SCHEMA_GENERATED_H

#include <cstdint>

namespace tflite {

struct Model {
    std::uint32_t version() const;
};

inline const Model *GetModel(const void *buf) { return static_cast<const Model *>(buf); }

}  // namespace tflite

#endif
