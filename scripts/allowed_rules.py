"""Rules of what edgepack/load/allowlist.json leaves out of Keras and TensorFlow, and why.

A model file names classes, functions and operators; loading it builds or runs what it names. Those
that only compute are allowed; a pattern here excludes the others, with what they could do. Patterns
match whole names. The reason is that of the first match.
"""

from __future__ import annotations

LAYERS = {
    "Lambda": "it holds Python code",
    "TorchModuleWrapper": "it holds a pickled PyTorch module, which runs code on loading",
    "FlaxLayer|JaxLayer": "it holds Python code for JAX",
    "TFSMLayer|ReloadedLayer": "it loads a SavedModel from another path",
    "ClassMethod|InstanceMethod|InstanceProperty": "it calls a method of a class by name",
    "ResidualWrapper|DropoutWrapper|DeviceWrapper|_RNNCellWrapper.*": "it may hold Python code",
    "ModuleWrapper": "it wraps any object that can be called",
    "FeatureSpace|TFDConcat|TFDIdentity|DataLayer": "it is built of code other than layers",
    "DenseFeatures|SequenceFeatures|_BaseFeaturesLayer": "its columns read vocabulary files",
    "DynamicEmbedding|DynamicLookup": "it changes tables while it is used",
    "DistributedCallbackModel|Distiller|SharpnessAwareMinimization": "it is for training only",
    "PyMetric": "it calls Python code",
}
"""Classes of both Kerases."""

OPERATIONS = {
    "AssociativeScan|Cond|ForiLoop|Map|Scan|Switch|VectorizedMap|WhileLoop": (
        "it calls functions that the file names"
    ),
    "Function": "it is a graph, which only models contain",
}
"""Operations of Keras 3 (``keras.ops``) in functional models."""

FUNCTIONS = {
    r"(.*\.)?(deserialize|serialize|get)": "it builds what a configuration names",
    r"(cond|case|switch_case|switch|while_loop|map_fn|map|foldl|foldr|scan|associative_scan)": (
        "it calls functions that the file names"
    ),
    r"(fori_loop|vectorized_map|vectorize|recompute_grad|jvp)": (
        "it calls functions that the file names"
    ),
    r"(custom_gradient|function|grad_pass_through|nondifferentiable_batch_function|no_gradient)": (
        "it wraps functions that the file names"
    ),
    r"(py_function|numpy_function|print)": "it runs Python, or writes to a file",
    r"(load_library|load_op_library)": "it loads native code",
    r"import_graph_def": "it runs a graph in the file",
    r"d_tensor_.*|rpc_.*|delete_rpc_.*|.*_tpu_.*|.*_tpu|copy_to_mesh.*|relayout.*|xla_.*": (
        "it is for other devices and hosts"
    ),
    r"(device|init_scope|control_dependencies|variable_creator_scope|get_logger|group|tuple)": (
        "it changes TensorFlow's settings"
    ),
    r"(register_tensor_conversion_function|get_current_name_scope|inside_function|no_op)": (
        "it changes or returns TensorFlow's settings"
    ),
    r"(executing_eagerly|timestamp|check_pinned|check_preemption|is_symbolic_tensor|is_tensor)": (
        "its result depends on this machine or process, not on its arguments"
    ),
    r"(get_static_value|make_ndarray|make_tensor_proto|type_spec_from_value|as_dtype)": (
        "it returns Python objects, not tensors"
    ),
    r"(gradients|hessians)": "it changes the graph that contains it",
    r"random\.(set_seed|set_global_generator|get_global_generator|create_rng_state)": (
        "it changes the random state of the process"
    ),
    r"(random|nn)\..*candidate_sampler": "it may read a vocabulary file",
    r"nn\.with_space_to_batch": "it calls functions that the file names",
    r"image\.decode_.*|image\.encode_.*|image\.extract_jpeg_shape|image\.is_jpeg": (
        "it reads or writes encoded images, which are not numbers"
    ),
    r"keras\.backend\.(backend|clear_session|epsilon|eval|floatx|function|get_uid|get_value)": (
        "it changes or returns Keras's settings"
    ),
    r"keras\.backend\.(set_.*|reset_uids|manual_variable_initialization|name_scope)": (
        "it changes Keras's settings"
    ),
    r"keras\.backend\.(batch_(get|set)_value|variable|placeholder|update.*|moving_.*)": (
        "it creates or changes variables"
    ),
    r"keras\.backend\.random_(normal|uniform)_variable": "it creates variables",
    r"keras\.backend\.(foldl|foldr|map_fn|rnn|switch|in_(test|train)_phase|gradients)": (
        "it calls functions that the file names"
    ),
    r"keras\.backend\.(print_tensor|learning_phase.*|is_.*|int_shape|ndim|dtype|count_params)": (
        "it writes output, or returns Python objects instead of tensors"
    ),
    r"keras\.backend\.image_data_format": "it returns Keras's settings",
}
"""Functions of TensorFlow's interface, by their names under ``tf``."""

NAMESPACES = (
    *("", "__operators__", "bitwise", "dtypes", "image", "linalg", "math", "math.special", "nn"),
    *("quantization", "random", "signal"),
    *("keras.activations", "keras.backend", "keras.losses", "keras.metrics"),
)
"""Namespaces under ``tf`` with functions that only compute; no others are allowed."""

ACTIVATIONS = ("crelu", "leaky_relu", "log_softmax", "relu6", "silu")
"""Functions of ``tf.nn`` that Keras 2 finds by a bare name, besides its own."""

SPACES = {
    "io": "it reads or writes files",
    "gfile": "it reads or writes files",
    "data": "it reads files, or runs in the background",
    "saved_model": "it reads or writes files",
    "train": "it reads or writes files",
    "summary": "it writes files",
    "profiler": "it writes files",
    "raw_ops": "it may be any operator",
    "debugging": "it writes output, or changes TensorFlow's settings",
    "config": "it changes TensorFlow's settings",
    "distribute": "it is for other devices and hosts",
    "tpu": "it is for other devices and hosts",
    "strings": "it processes text, which no device accepts",
    "keras.applications": "it may download weights",
    "keras.datasets": "it downloads data",
    "keras.models": "it builds what a file or a configuration names",
    "keras.preprocessing": "it reads files",
    "keras.saving": "it builds what a file or a configuration names",
    "keras.utils": "it reads, writes or downloads files",
}
"""Reasons why nothing in other namespaces is allowed, where there is a specific one."""

COMPAT_V1_ONLY = ("div", "to_bfloat16", "to_double", "to_float", "to_int32", "to_int64")
"""Functions only in ``tf.compat.v1``; its others are allowed if those of the same name are."""

OPERATORS = {
    r"_.*": "TensorFlow uses it internally, and never saves it",
    r".*(Dataset|Iterator).*|RecordInput": "it reads files, or runs in the background",
    r".*(Reader|File|Files|TextFile)(V2)?|Reader.*|MatchingFiles|ReadFile|WriteFile": (
        "it reads or writes files"
    ),
    r"InitializeTableFromTextFile.*|GenerateVocabRemapping|LoadAndRemapMatrix": "it reads files",
    r"ImmutableConst": "it maps a file into memory",
    r"DecodeProtoV2|EncodeProto": "it reads a file of descriptors",
    r"FixedUnigramCandidateSampler": "it may read a vocabulary file",
    r"(Save|Restore|Merge).*Checkpoint.*|Save(V2|Slices)?|Restore(V2|Slice)?|Sharded.*": (
        "it reads or writes checkpoints"
    ),
    r"DistributedSave|CalibrationStatisticsSaver|CustomAggregator|DumpTensor": "it writes files",
    r"(Eager)?PyFunc(Stateless)?": "it calls Python",
    r"MlirPassthroughOp|XlaCallModule|XlaCustomCall.*": "it runs code in the file",
    r"(Debug|Print|.*Summary).*|ImportEvent|Timestamp": (
        "it writes output, or returns information on this machine"
    ),
    r"(Xla|_?TPU|Tpu|DTensor|Collective|Nccl|Rpc|RemoteCall|Risc).*|.*TPU.*|.*Xla.*": (
        "it is for other devices and hosts"
    ),
    r"(In|Out)feed.*|Prelinearize.*|CopyToMesh.*|Relayout.*|(Host)?(Send|Recv)|SyncDevice": (
        "it is for other devices and hosts"
    ),
    r".*(SparseCore|Minibatch|DedupData|CooTensor).*|GetTpuTaskId|GlobalIterId|ConfigureAnd.*": (
        "it is for other devices and hosts"
    ),
    r"FileSystemSetConfiguration|WorkerHeartbeat|Abort|Sleep.*|GetOptions|GetDeadline": (
        "it changes, ends or delays this process"
    ),
    r"(Batch|Unbatch)(Grad|Function)?|.*Queue.*|.*Barrier.*|.*Accumulator.*|.*Stage.*|Unstage": (
        "it waits for other threads or steps"
    ),
    r"Mutex.*|ConsumeMutexLock|.*Session(Handle|Tensor).*|.*MemoryCache|DeviceIndex": (
        "it keeps state beyond the model"
    ),
    r"(Ordered)?Map(Clear|IncompleteSize|Peek|Size|Unstage.*)|StageClear|MapDefun": (
        "it keeps state beyond the model"
    ),
    r"BoostedTrees.*|Sdca.*|.*CandidateSampler|Skipgram|NegTrain|KMC2.*|Kmeans.*": (
        "it is for training only"
    ),
    r"(Sparse)?Apply.*|Resource(Sparse)?Apply.*": "it is for training only",
    r"SymbolicGradient|.*SparseTensorsMap|.*SparseFromTensorsMap": "it is for training only",
    r"ParseTensor|.*Element|CompositeTensorVariant.*|RaggedTensor(From|To)Variant.*": (
        "it decodes data of unknown type"
    ),
    r"Fact|HostConst|MakeUnique|NoCopy.*|CheckPinned|Copy(Host|Op)?|DeepCopy|Attr.*": (
        "TensorFlow uses it internally, and never saves it"
    ),
    r"IsTensorFloat32Enabled|GraphDefVersion|DevicePlacementOp|DummyIterationCounter": (
        "it returns information on this machine or process"
    ),
    r"[A-Z]|Foo\d|Binary|Unary|Simple(Struct)?|MixedStruct|ComplexStruct|None|Old|For|Restrict": (
        "it belongs to TensorFlow's own tests"
    ),
    r"N?(Ints?|Polymorphic|In|Out|Float|Int64|Two|Five|List|Ref|Type|Kernel|Op|Func|Default).*"
    r"(Input|Output|In|Out|List|Twice|Restrict|Default|Variables|Attr|Attrs|Label|Required|T)s?"
    r"|N?Polymorphic.*|N?In(Polymorphic)?Twice|NInTwoTypeVariables": (
        "it belongs to TensorFlow's own tests"
    ),
    r"Reserved.*|TestStringOutput|Namespace>.*|StringListAttr|TestAttr|ConstructionFails|OutT.*": (
        "it belongs to TensorFlow's own tests"
    ),
    r"TypeListTwice|FloatOutputStringOutput|RequiresOlderGraphVersion|Stub.*|Resource(UsingOp)": (
        "it belongs to TensorFlow's own tests"
    ),
    r"Resource(CreateOp|InitializedOp)|DtypeWithDefaultOp|DeviceDtype.*|NoOutput.*|WindowOp": (
        "it belongs to TensorFlow's own tests"
    ),
}
"""Operators of TensorFlow's graphs."""

STATES = {
    r"(VarHandleOp|Variable(V2|Shape)?|ReadVariableOp|VarIsInitializedOp|IsVariableInitialized)",
    r"Assign((Add|Sub)?VariableOp)?|Assign(Add|Sub)|DestroyResourceOp|TemporaryVariable",
    r"Resource(Gather|Scatter).*|ResourceStridedSliceAssign|DisableCopyOnRead",
    r"(Stateful)?PartitionedCall|If|While|Case|Assert|GuaranteeConst|CheckNumerics(V2)?|Empty",
    r"(Mutable)?(Dense)?HashTable(V2|OfTensors|OfTensorsV2)?|LookupTable.*V2|InitializeTableV2",
    r"Anonymous(Mutable)?(Dense)?HashTable(OfTensors)?",
    r"TensorArray.*|Stack(Push|Pop|Close)?(V2)?",
    r"Random(Crop|Gamma|Poisson(V2)?|Shuffle|StandardNormal|Uniform(Int)?)|Multinomial",
    r"(Parameterized)?TruncatedNormal|Stateful(Random|Standard|Truncated|Uniform).*|Rng.*",
    r"NonDeterministicInts|StatelessRandomGetAlg|SampleDistortedBoundingBox(V2)?|CudnnRNN.*",
}
"""Operators whose state belongs to the model: variables, tables, random numbers."""
