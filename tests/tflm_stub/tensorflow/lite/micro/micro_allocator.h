#ifndef TFLM_STUB_MICRO_ALLOCATOR_H
#define TFLM_STUB_MICRO_ALLOCATOR_H

#include <cstddef>
#include <cstdint>

namespace tflite {

class MicroAllocator {
   public:
    static MicroAllocator *Create(std::uint8_t *tensor_arena, std::size_t arena_size);

    std::uint8_t *arena = nullptr;
    std::size_t size = 0;
};

}  // namespace tflite

#endif
