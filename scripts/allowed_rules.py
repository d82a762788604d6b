"""What edgepack/load/allowlist.json leaves out of Keras and TensorFlow, and why.

A model file names classes, functions and operators; loading it builds or runs what it names. Those
that only compute are listed there; a pattern here leaves the others out, with what they could do.
Patterns match whole names. The first that matches gives the reason.
"""

from __future__ import annotations

LAYERS = {
    "Lambda": "it holds Python code",
    "TorchModuleWrapper": "it holds a pickled PyTorch module, which runs code on loading",
    "FlaxLayer|JaxLayer": "it holds Python code for JAX",
    "TFSMLayer|ReloadedLayer": "it loads a SavedModel from a path of its own",
    "ClassMethod|InstanceMethod|InstanceProperty": "it calls a method of a class by name",
    "ResidualWrapper|DropoutWrapper|DeviceWrapper|_RNNCellWrapper.*": "it may hold Python code",
    "ModuleWrapper": "it wraps any object that can be called",
    "FeatureSpace|TFDConcat|TFDIdentity|DataLayer": "it is built of other code than layers",
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
    "Function": "it is a graph, which only models hold",
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
    r"(py_function|numpy_function|print)": "it runs Python, or writes where the file says",
    r"(load_library|load_op_library)": "it loads native code",
    r"import_graph_def": "it runs a graph that the file holds",
    r"d_tensor_.*|rpc_.*|delete_rpc_.*|.*_tpu_.*|.*_tpu|copy_to_mesh.*|relayout.*|xla_.*": (
        "it is for other devices and hosts"
    ),
    r"(device|init_scope|control_dependencies|variable_creator_scope|get_logger|group|tuple)": (
        "it changes how TensorFlow works"
    ),
    r"(register_tensor_conversion_function|get_current_name_scope|inside_function|no_op)": (
        "it changes or tells how TensorFlow works"
    ),
    r"(executing_eagerly|timestamp|check_pinned|check_preemption|is_symbolic_tensor|is_tensor)": (
        "it tells of this machine or process, not of its arguments"
    ),
    r"(get_static_value|make_ndarray|make_tensor_proto|type_spec_from_value|as_dtype)": (
        "it makes Python objects, no tensors"
    ),
    r"(gradients|hessians)": "it changes the graph that it is in",
    r"random\.(set_seed|set_global_generator|get_global_generator|create_rng_state)": (
        "it changes the random state of the process"
    ),
    r"(random|nn)\..*candidate_sampler": "it may read a vocabulary file",
    r"nn\.with_space_to_batch": "it calls functions that the file names",
    r"image\.decode_.*|image\.encode_.*|image\.extract_jpeg_shape|image\.is_jpeg": (
        "it reads encoded pictures, which are no numbers"
    ),
    r"keras\.backend\.(backend|clear_session|epsilon|eval|floatx|function|get_uid|get_value)": (
        "it changes or tells how Keras works"
    ),
    r"keras\.backend\.(set_.*|reset_uids|manual_variable_initialization|name_scope)": (
        "it changes how Keras works"
    ),
    r"keras\.backend\.(batch_(get|set)_value|variable|placeholder|update.*|moving_.*)": (
        "it makes or changes variables"
    ),
    r"keras\.backend\.random_(normal|uniform)_variable": "it makes variables",
    r"keras\.backend\.(foldl|foldr|map_fn|rnn|switch|in_(test|train)_phase|gradients)": (
        "it calls functions that the file names"
    ),
    r"keras\.backend\.(print_tensor|learning_phase.*|is_.*|int_shape|ndim|dtype|count_params)": (
        "it writes, or makes Python objects, no tensors"
    ),
    r"keras\.backend\.image_data_format": "it tells how Keras works",
}
"""Functions of TensorFlow's interface, by their names under ``tf``."""

NAMESPACES = (
    *("", "__operators__", "bitwise", "dtypes", "image", "linalg", "math", "math.special", "nn"),
    *("quantization", "random", "signal"),
    *("keras.activations", "keras.backend", "keras.losses", "keras.metrics"),
)
"""Where TensorFlow's interface has functions that compute; of all others none is allowed."""

ACTIVATIONS = ("crelu", "leaky_relu", "log_softmax", "relu6", "silu")
"""Functions of ``tf.nn`` that Keras 2 finds by a name by itself, besides its own."""

SPACES = {
    "io": "it reads or writes files",
    "gfile": "it reads or writes files",
    "data": "it reads files, or works on in the background",
    "saved_model": "it reads or writes files",
    "train": "it reads or writes files",
    "summary": "it writes files",
    "profiler": "it writes files",
    "raw_ops": "it may be any operator",
    "debugging": "it writes, or changes how TensorFlow works",
    "config": "it changes how TensorFlow works",
    "distribute": "it is for other devices and hosts",
    "tpu": "it is for other devices and hosts",
    "strings": "it works on text, which no device takes",
    "keras.applications": "it may download weights",
    "keras.datasets": "it downloads data",
    "keras.models": "it builds what a file or a configuration names",
    "keras.preprocessing": "it reads files",
    "keras.saving": "it builds what a file or a configuration names",
    "keras.utils": "it reads, writes or downloads files",
}
"""Why nothing is allowed of other places, where something can be said."""

TWINS = ("div", "to_bfloat16", "to_double", "to_float", "to_int32", "to_int64")
"""Functions that ``tf.compat.v1`` alone has. Its others are allowed as their namesakes are."""

OPERATORS = {
    r"_.*": "TensorFlow makes it for itself, and never saves it",
    r".*(Dataset|Iterator).*|RecordInput": "it reads files, or works on in the background",
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
    r"MlirPassthroughOp|XlaCallModule|XlaCustomCall.*": "it runs code that the file holds",
    r"(Debug|Print|.*Summary).*|ImportEvent|Timestamp": "it writes, or tells of this machine",
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
        "it changes, ends or holds up this process"
    ),
    r"(Batch|Unbatch)(Grad|Function)?|.*Queue.*|.*Barrier.*|.*Accumulator.*|.*Stage.*|Unstage": (
        "it waits for other threads or steps"
    ),
    r"Mutex.*|ConsumeMutexLock|.*Session(Handle|Tensor).*|.*MemoryCache|DeviceIndex": (
        "it keeps a state beyond the model"
    ),
    r"(Ordered)?Map(Clear|IncompleteSize|Peek|Size|Unstage.*)|StageClear|MapDefun": (
        "it keeps a state beyond the model"
    ),
    r"BoostedTrees.*|Sdca.*|.*CandidateSampler|Skipgram|NegTrain|KMC2.*|Kmeans.*": (
        "it is for training only"
    ),
    r"(Sparse)?Apply.*|Resource(Sparse)?Apply.*": "it is for training only",
    r"SymbolicGradient|.*SparseTensorsMap|.*SparseFromTensorsMap": "it is for training only",
    r"ParseTensor|.*Element|CompositeTensorVariant.*|RaggedTensor(From|To)Variant.*": (
        "it takes apart data of unknown kind"
    ),
    r"Fact|HostConst|MakeUnique|NoCopy.*|CheckPinned|Copy(Host|Op)?|DeepCopy|Attr.*": (
        "TensorFlow makes it for itself, and never saves it"
    ),
    r"IsTensorFloat32Enabled|GraphDefVersion|DevicePlacementOp|DummyIterationCounter": (
        "it tells of this machine or process"
    ),
    r"[A-Z]|Foo\d|Binary|Unary|Simple(Struct)?|MixedStruct|ComplexStruct|None|Old|For|Restrict": (
        "it is of TensorFlow's own tests"
    ),
    r"N?(Ints?|Polymorphic|In|Out|Float|Int64|Two|Five|List|Ref|Type|Kernel|Op|Func|Default).*"
    r"(Input|Output|In|Out|List|Twice|Restrict|Default|Variables|Attr|Attrs|Label|Required|T)s?"
    r"|N?Polymorphic.*|N?In(Polymorphic)?Twice|NInTwoTypeVariables": (
        "it is of TensorFlow's own tests"
    ),
    r"Reserved.*|TestStringOutput|Namespace>.*|StringListAttr|TestAttr|ConstructionFails|OutT.*": (
        "it is of TensorFlow's own tests"
    ),
    r"TypeListTwice|FloatOutputStringOutput|RequiresOlderGraphVersion|Stub.*|Resource(UsingOp)": (
        "it is of TensorFlow's own tests"
    ),
    r"Resource(CreateOp|InitializedOp)|DtypeWithDefaultOp|DeviceDtype.*|NoOutput.*|WindowOp": (
        "it is of TensorFlow's own tests"
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
"""Operators with a state, which ends with the model: variables, tables, random numbers."""
