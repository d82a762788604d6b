"""The project layouts build: with CMake, and with stand-ins for ESP-IDF, Zephyr and Arduino."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml
from conftest import need

from edgepack.devices.target import LAYOUTS as NAMES_IN_TARGETS
from edgepack.emit.tflm.layouts import LAYOUTS

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
TREE = {
    "tensorflow/lite/micro/micro_interpreter.h": "const char *tflm_stub(void);\n",
    "tensorflow/lite/micro/micro_interpreter.cc": (
        '#include "tensorflow/lite/micro/micro_interpreter.h"\n'
        '#include "flatbuffers/flatbuffers.h"\n'
        "#ifndef TF_LITE_STATIC_MEMORY\n#error\n#endif\n"
        "const char *tflm_stub(void) { return FLATBUFFERS; }\n"
    ),
    "tensorflow/lite/micro/kernels/cmsis_nn/conv.cc": "#ifndef CMSIS_NN\n#error\n#endif\n",
    "third_party/flatbuffers/include/flatbuffers/flatbuffers.h": '#define FLATBUFFERS "flat"\n',
    "third_party/cmsis_nn/Source/nn.c": "int nn;\n",
    "third_party/kissfft/kiss_fft.c": "this is included by others\n",
    "examples/hello/main.cc": "int main() { this is left out; }\n",
}
"""A tree with the layout of the one that create_tflm_tree.py writes."""

ENTRIES = {
    "main": "int main() { return run(); }\n",
    "app_main": 'extern "C" void app_main() { run(); }\n',
    "arduino": "#include <Arduino.h>\nvoid setup() { run(); }\nvoid loop() {}\n",
}
BOOT = {
    "app_main": 'extern "C" void app_main();\nint main() { app_main(); }\n',
    "arduino": "#include <Arduino.h>\nint main() { setup(); loop(); }\n",
}
"""Stand-ins for the system that starts the program."""

ESP_IDF = """
function(idf_component_register)
  cmake_parse_arguments(ARG "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(name ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  add_library(${name} STATIC ${ARG_SRCS})
  target_include_directories(${name} PUBLIC ${TREE})
  foreach(folder IN LISTS ARG_INCLUDE_DIRS)
    target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY components ${name})
endfunction()
macro(project name)
  _project(${name} C CXX)
  foreach(folder IN LISTS EXTRA_COMPONENT_DIRS ITEMS ${CMAKE_CURRENT_SOURCE_DIR}/main)
    get_filename_component(component ${folder} REALPATH)
    get_filename_component(component ${component} NAME)
    add_subdirectory(${folder} ${CMAKE_BINARY_DIR}/${component})
  endforeach()
  get_property(components GLOBAL PROPERTY components)
  list(REMOVE_ITEM components main)
  target_link_libraries(main PRIVATE ${components})
  add_executable(program $ENV{IDF_PATH}/boot.cc ${TREE}/tensorflow/lite/micro/micro_interpreter.cc)
  target_compile_definitions(program PRIVATE TF_LITE_STATIC_MEMORY)
  target_include_directories(program PRIVATE ${TREE}/third_party/flatbuffers/include)
  target_link_libraries(program PRIVATE main)
endmacro()
"""
"""Like tools/cmake/project.cmake: components are named after their folders; main links all."""

ZEPHYR = """
project(Zephyr-Kernel C CXX)
add_executable(app ${TREE}/tensorflow/lite/micro/micro_interpreter.cc)
target_compile_definitions(app PRIVATE TF_LITE_STATIC_MEMORY)
target_include_directories(app PRIVATE ${TREE} ${TREE}/third_party/flatbuffers/include)
function(zephyr_include_directories)
  target_include_directories(app PRIVATE ${ARGN})
endfunction()
function(zephyr_compile_options)
  target_compile_options(app PRIVATE ${ARGN})
endfunction()
macro(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name})
  add_library(${name} STATIC)
  target_link_libraries(app PRIVATE ${name})
endmacro()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
file(STRINGS ${CMAKE_SOURCE_DIR}/prj.conf settings REGEX "^CONFIG_")
foreach(setting IN LISTS settings)
  string(REGEX MATCH "^(CONFIG_[A-Z0-9_]+)=(.+)$" matched ${setting})
  set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()
foreach(module IN LISTS EXTRA_ZEPHYR_MODULES)
  add_subdirectory(${module}/zephyr modules)
endforeach()
"""
"""Like Zephyr's package: modules see the settings, and the application links their libraries."""


def model_folders(*names: str) -> dict[str, str]:
    """Return files of models, as far as they matter to a layout: text by path."""
    files = {}
    for name in names:
        files[f"{name}/model.c"] = f'#include "model.h"\nconst int {name}_model = 7;\n'
        files[f"{name}/model.h"] = (
            f'#ifdef __cplusplus\nextern "C" {{\n#endif\nextern const int {name}_model;\n'
            "#ifdef __cplusplus\n}\n#endif\n"
        )
        files[f"{name}/op_resolver.h"] = '#include "tensorflow/lite/micro/micro_interpreter.h"\n'
        files[f"{name}/test_vectors.h"] = "static const int vectors = 1;\n"
    return files


def self_test(entry: str, names: Iterable[str]) -> str:
    """Return a program that prints the stub's text and the sum of all models' values."""
    includes = "".join(
        f'#include "{name}/model.h"\n#include "{name}/op_resolver.h"\n' for name in names
    )
    total = " + ".join(f"{name}_model" for name in names)
    run = f'static int run() {{ std::printf("%s %d\\n", tflm_stub(), {total}); return 0; }}\n'
    return f"#include <cstdio>\n{includes}{run}{ENTRIES[entry]}"


def project(layout: str, names: Iterable[str] = ("kws", "ic")) -> dict[str, str]:
    project_layout = LAYOUTS[layout]
    return project_layout.lay_out(
        "door", model_folders(*names), self_test(project_layout.entry, names)
    )


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def run(*command: object, fails: bool = False) -> str:
    """Run a program that must pass, or must fail; return all its output."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def cmake(source: Path, *options: str, fails: bool = False) -> str:
    """Configure and build in the folder build of the source; CMake's warnings are errors."""
    build = source / "build"
    output = run(need("cmake"), "-S", source, "-B", build, "-Werror=dev", *options, fails=fails)
    assert fails or "Warning" not in output, output
    return output if fails else run(need("cmake"), "--build", build)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source tree of TensorFlow Lite Micro, below a folder with the name of one of its own."""
    return write(tmp_path_factory.mktemp("examples") / "examples" / "tflm+1", TREE)


def test_cmake_builds_the_tree_as_a_subproject_and_runs_the_self_test(
    tmp_path: Path, tree: Path
) -> None:
    source = write(tmp_path, project("cmake"))
    cmake(source, f"-DTFLM_DIR={tree}")
    ctest = Path(need("cmake")).with_name("ctest")
    assert "1: flat 14" in run(ctest, "--test-dir", source / "build", "--verbose")


def test_cmake_uses_a_target_of_the_parent_project(tmp_path: Path, tree: Path) -> None:
    write(tmp_path / "door", project("cmake"))
    parent = """
        cmake_minimum_required(VERSION 3.21)
        project(parent LANGUAGES C CXX)
        add_library(pico-tflmicro INTERFACE)
        target_include_directories(pico-tflmicro INTERFACE ${TREE})
        set(TFLM_TARGET pico-tflmicro)
        add_subdirectory(door EXCLUDE_FROM_ALL)
        add_executable(application main.cc)
        target_link_libraries(application PRIVATE door_models)
    """
    main = '#include "ic/op_resolver.h"\n#include "ic/model.h"\nint main() { return ic_model; }\n'
    write(tmp_path, {"CMakeLists.txt": parent, "main.cc": main})
    cmake(tmp_path, f"-DTREE={tree}")
    assert subprocess.run([tmp_path / "build" / "application"], check=False).returncode == 7


def test_cmake_without_tensorflow_lite_micro_says_how_to_get_it(tmp_path: Path) -> None:
    output = " ".join(cmake(write(tmp_path, project("cmake")), fails=True).split())
    assert (
        "TFLM_DIR '' is not a source tree of TensorFlow Lite Micro: create one with its" in output
    )
    assert (
        "create_tflm_tree.py and pass -DTFLM_DIR=FOLDER, or pass -DTFLM_TARGET=NAME with" in output
    )


def test_the_esp_idf_component_builds_in_its_self_test(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    esp_idf = {"tools/cmake/project.cmake": ESP_IDF, "boot.cc": BOOT["app_main"]}
    write(tmp_path / "idf", esp_idf)
    monkeypatch.setenv("IDF_PATH", str(tmp_path / "idf"))
    # The folder may have any name.
    source = write(tmp_path / "any", project("esp-idf")) / "examples" / "self_test"
    cmake(source, f"-DTREE={tree}")
    assert run(source / "build" / "program") == "flat 14\n"


def test_the_esp_idf_component_exports_its_dependency() -> None:
    manifest = yaml.safe_load(project("esp-idf")["idf_component.yml"])
    assert manifest["dependencies"]["espressif/esp-tflite-micro"]["require"] == "public"
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])


def test_the_zephyr_module_builds_in_its_self_test(tmp_path: Path, tree: Path) -> None:
    write(tmp_path / "package", {"ZephyrConfig.cmake": ZEPHYR})
    module = write(tmp_path / "any", project("zephyr"))
    source = module / "samples" / "self_test"
    cmake(source, f"-DTREE={tree}", f"-DZephyr_DIR={tmp_path / 'package'}")
    assert run(source / "build" / "app") == "flat 14\n"


def test_the_zephyr_module_declares_its_files_and_its_setting() -> None:
    files = project("zephyr")
    module = yaml.safe_load(files["zephyr/module.yml"])
    assert module == {
        "name": "door_models",
        "build": {"cmake": "zephyr", "kconfig": "zephyr/Kconfig"},
        "samples": ["samples/self_test"],
    }
    settings = dict(
        line.split("=") for line in files["samples/self_test/prj.conf"].splitlines() if "=" in line
    )
    (option,) = re.findall(r"^config (\w+)\n\tbool \".+\"$", files["zephyr/Kconfig"], re.M)
    assert settings[f"CONFIG_{option}"] == "y"
    assert settings["CONFIG_TENSORFLOW_LITE_MICRO"] == settings["CONFIG_STD_CPP17"] == "y"


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_the_arduino_library_meets_its_specification() -> None:
    files = project("arduino")
    fields = properties(files["library.properties"])
    required = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category")
    assert all(fields[key] for key in (*required, "url", "architectures"))
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]*", fields["name"])
    assert fields["category"] == "Data Processing"
    header = files[f"src/{fields['includes']}"]
    included = re.findall(r'#include [<"](.+)[>"]', header)
    # Arduino finds libraries by the names of included headers, in this order.
    assert included[0] == "Chirale_TensorFlowLite.h"
    assert included[1:] == [
        f"{name}/{each}.h" for name in ("kws", "ic") for each in ("model", "op_resolver")
    ]
    assert f"#include <{fields['includes']}>" in files["examples/self_test/self_test.ino"]


@pytest.mark.parametrize("dialect", ["gnu++14", "gnu++17"])
def test_the_arduino_library_and_its_self_test_compile(
    tmp_path: Path, tree: Path, dialect: str
) -> None:
    """Compile like Arduino: all sources below src, the sketch's .cpp, and its .ino as C++."""
    library = write(tmp_path / "library", project("arduino"))
    write(
        tmp_path / "core",
        {
            "Arduino.h": 'extern "C" {\nvoid setup(void);\nvoid loop(void);\n}\n',
            "Chirale_TensorFlowLite.h": "",
            "main.cpp": BOOT["arduino"],
        },
    )
    include = [f"-I{path}" for path in (library / "src", tmp_path / "core", tree)]
    objects = []
    sketch = library / "examples" / "self_test"
    for source in [
        *sorted(library.glob("src/**/*.c")),
        *sorted(sketch.glob("*.cpp")),
        sketch / "self_test.ino",
        tmp_path / "core" / "main.cpp",
    ]:
        language = ["-x", "c", "-std=gnu11"] if source.suffix == ".c" else ["-x", "c++"]
        standard = [] if source.suffix == ".c" else [f"-std={dialect}"]
        objects.append(tmp_path / f"{len(objects)}.o")
        compiler = need("gcc" if source.suffix == ".c" else "g++")
        run(compiler, *STRICT, *language, *standard, *include, "-c", source, "-o", objects[-1])
    stub = tree / "tensorflow/lite/micro/micro_interpreter.cc"
    flatbuffers = f"-I{tree}/third_party/flatbuffers/include"
    program = tmp_path / "program"
    run(
        *(need("g++"), "-DTF_LITE_STATIC_MEMORY", *include, flatbuffers),
        *(stub, *objects, "-o", program),
    )
    assert run(program) == "flat 14\n"


def test_the_platformio_library_and_its_self_test_refer_to_each_other() -> None:
    files = project("platformio")
    manifest = json.loads(files["library.json"])
    assert {"name", "version", "description"} <= set(manifest)
    assert all(f"src/{header}" in files for header in manifest["headers"])
    (example,) = manifest["examples"]
    assert all(f"{example['base']}/{path}" in files for path in example["files"])
    ini = configparser.ConfigParser(comment_prefixes=(";",))
    ini.read_string(files["examples/self_test/platformio.ini"])
    section = ini["env:self_test"]
    assert section["lib_deps"].split() == [
        f"{manifest['name']}=symlink://../..",
        "spaziochirale/Chirale_TensorFLowLite@^2.0.0",
    ]
    assert section["build_flags"] == "-std=gnu++17"


def test_targets_name_the_layouts_that_there_are() -> None:
    assert tuple(LAYOUTS) == NAMES_IN_TARGETS


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("names", [("kws",), ("kws", "ic")], ids=["one", "two"])
def test_every_project_has_the_models_the_self_test_and_a_readme(
    layout: str, names: tuple[str, ...]
) -> None:
    files = project(layout, names)
    project_layout = LAYOUTS[layout]
    assert files == project(layout, names)
    assert list(files) == sorted(files)
    assert files[project_layout.self_test] == self_test(project_layout.entry, names)
    assert {
        path.removeprefix(f"{project_layout.folder}/"): text
        for path, text in files.items()
        if path.startswith(tuple(f"{project_layout.folder}/{name}/" for name in names))
    } == model_folders(*names)
    readme = files["README.md"]
    assert readme.startswith(
        f"# door_models\n\nModels for TensorFlow Lite Micro: {', '.join(names)},"
    )
    for text in files.values():
        assert text.isascii()
        assert text.endswith("\n")
        assert not re.search(r"[ \t]$", text, re.M)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_file_that_a_project_mentions_exists(layout: str) -> None:
    files = project(layout)
    folders_of_files = {str(parent) for path in files for parent in Path(path).parents}
    for path, text in files.items():
        for mentioned in re.findall(r"(?:models|src|examples|samples)/[\w/.]*\w", text):
            bases = [Path(path).parent, Path(), Path("examples/self_test")]
            candidates = {str(base / mentioned) for base in bases}
            assert candidates & (set(files) | folders_of_files), (path, mentioned)
