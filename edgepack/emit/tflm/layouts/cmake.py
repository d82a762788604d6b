"""Layout of a CMake project, with TensorFlow Lite Micro as a subproject.

TensorFlow Lite Micro has no CMake build. Its ``create_tflm_tree.py`` copies the sources of a build
into a tree, which the subproject compiles into a library. The tree for ``TARGET=cortex_m_generic``
would also need a device's headers; the tree for the host is self-contained.
"""

from __future__ import annotations

from edgepack.emit.tflm.layouts.project import Layout, Project

_FOLDER = "models"

_PROJECT = """\
cmake_minimum_required(VERSION 3.21)
project({library} LANGUAGES C CXX)

set(TFLM_DIR "" CACHE PATH "Source tree of TensorFlow Lite Micro, from create_tflm_tree.py")
set(TFLM_TARGET tflm CACHE STRING "CMake target of TensorFlow Lite Micro")

if(NOT TARGET ${{TFLM_TARGET}})
  add_subdirectory(tflm)
endif()

# The models. TensorFlow Lite Micro is PUBLIC, since op_resolver.h includes its headers.
add_library({library} STATIC
{sources}
)
target_include_directories({library} PUBLIC models)
target_compile_features({library} PUBLIC c_std_99 cxx_std_17)
target_link_libraries({library} PUBLIC ${{TFLM_TARGET}})

# The self-test checks that the models compute the expected outputs of their test vectors.
add_executable({name}_self_test self_test/main.cc)
target_link_libraries({name}_self_test PRIVATE {library})

enable_testing()
add_test(NAME {name}_self_test COMMAND {name}_self_test)
"""

_TFLM = """\
# TensorFlow Lite Micro as a static library. It has no CMake build of its own, so this compiles the
# tree that its tensorflow/lite/micro/tools/project_generation/create_tflm_tree.py creates.
if(NOT EXISTS "${TFLM_DIR}/tensorflow/lite/micro/micro_interpreter.h")
  message(FATAL_ERROR
    "TFLM_DIR '${TFLM_DIR}' is not a source tree of TensorFlow Lite Micro: create one with "
    "its create_tflm_tree.py and pass -DTFLM_DIR=FOLDER, or pass -DTFLM_TARGET=NAME with the name "
    "of a target that the parent project defines before it adds this folder")
endif()

# Examples have their own main(), and the sources of kissfft are included by other sources.
file(GLOB_RECURSE sources RELATIVE "${TFLM_DIR}"
  "${TFLM_DIR}/*.c" "${TFLM_DIR}/*.cc" "${TFLM_DIR}/*.cpp")
list(FILTER sources EXCLUDE REGEX "^(examples|third_party/kissfft)/")
list(TRANSFORM sources PREPEND "${TFLM_DIR}/")
add_library(${TFLM_TARGET} STATIC ${sources})
target_compile_features(${TFLM_TARGET} PUBLIC c_std_11 cxx_std_17)

foreach(folder IN ITEMS . third_party third_party/eyalroz_printf/src
    third_party/flatbuffers/include third_party/gemmlowp third_party/kissfft third_party/ruy
    third_party/cmsis third_party/cmsis/CMSIS/Core/Include
    third_party/cmsis_nn third_party/cmsis_nn/Include)
  if(IS_DIRECTORY "${TFLM_DIR}/${folder}")
    target_include_directories(${TFLM_TARGET} SYSTEM PUBLIC "${TFLM_DIR}/${folder}")
  endif()
endforeach()

# As in its makefile. PUBLIC, since they affect structs in the headers.
target_compile_definitions(${TFLM_TARGET} PUBLIC
  TF_LITE_STATIC_MEMORY TF_LITE_DISABLE_X86_NEON KERNELS_OPTIMIZED_FOR_SPEED)
if(EXISTS "${TFLM_DIR}/tensorflow/lite/micro/kernels/cmsis_nn")
  target_compile_definitions(${TFLM_TARGET} PUBLIC CMSIS_NN)
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(${TFLM_TARGET} PRIVATE -ffunction-sections -fdata-sections
    $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics>)
  target_link_libraries(${TFLM_TARGET} PUBLIC m)
endif()
"""

_README = """\
This project requires a source tree of TensorFlow Lite Micro. In a clone of tflite-micro, this
command creates one with the CMSIS-NN kernels, for a Cortex-M, or without the option, one with the
reference kernels:

    python3 tensorflow/lite/micro/tools/project_generation/create_tflm_tree.py \\
      --makefile_options="OPTIMIZED_KERNEL_DIR=cmsis_nn" TREE

Build and run the self-test; for a microcontroller, add its toolchain file:

    cmake -B build -DTFLM_DIR=TREE -DCMAKE_BUILD_TYPE=MinSizeRel
    cmake --build build
    ctest --test-dir build --verbose

In a project that already has a target for TensorFlow Lite Micro, such as `pico-tflmicro`, set
`TFLM_TARGET` to its name before `add_subdirectory({name} EXCLUDE_FROM_ALL)`, and link `{library}`.
"""


def _files(project: Project) -> dict[str, str]:
    sources = "\n".join(f"  {_FOLDER}/{path}" for path in project.sources)
    names = {"name": project.name, "library": project.library}
    return {
        "CMakeLists.txt": _PROJECT.format(sources=sources, **names),
        "tflm/CMakeLists.txt": _TFLM,
        "README.md": project.readme(_README.format(**names)),
    }


CMAKE = Layout(folder=_FOLDER, self_test="self_test/main.cc", entry="main", files=_files)
