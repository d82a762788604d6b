#ifndef TFLM_STUB_MICRO_MUTABLE_OP_RESOLVER_H
#define TFLM_STUB_MICRO_MUTABLE_OP_RESOLVER_H

#include "tensorflow/lite/core/c/common.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"

namespace tflite {

template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
   public:
    explicit MicroMutableOpResolver() : MicroOpResolver(places_, tOpCount) {}

    TfLiteStatus AddAbs() { return Add("ABS"); }
    TfLiteStatus AddAdd() { return Add("ADD"); }
    TfLiteStatus AddAddN() { return Add("ADD_N"); }
    TfLiteStatus AddArgMax() { return Add("ARG_MAX"); }
    TfLiteStatus AddArgMin() { return Add("ARG_MIN"); }
    TfLiteStatus AddAssignVariable() { return Add("ASSIGN_VARIABLE"); }
    TfLiteStatus AddAveragePool2D() { return Add("AVERAGE_POOL_2D"); }
    TfLiteStatus AddBatchMatMul() { return Add("BATCH_MATMUL"); }
    TfLiteStatus AddBatchToSpaceNd() { return Add("BATCH_TO_SPACE_ND"); }
    TfLiteStatus AddBroadcastArgs() { return Add("BROADCAST_ARGS"); }
    TfLiteStatus AddBroadcastTo() { return Add("BROADCAST_TO"); }
    TfLiteStatus AddCallOnce() { return Add("CALL_ONCE"); }
    TfLiteStatus AddCast() { return Add("CAST"); }
    TfLiteStatus AddCeil() { return Add("CEIL"); }
    TfLiteStatus AddCircularBuffer() { return Add("CIRCULAR_BUFFER"); }
    TfLiteStatus AddConcatenation() { return Add("CONCATENATION"); }
    TfLiteStatus AddConv2D() { return Add("CONV_2D"); }
    TfLiteStatus AddCos() { return Add("COS"); }
    TfLiteStatus AddCumSum() { return Add("CUMSUM"); }
    TfLiteStatus AddDecode() { return Add("TFLM_DECODE"); }
    TfLiteStatus AddDelay() { return Add("SignalDelay"); }
    TfLiteStatus AddDepthToSpace() { return Add("DEPTH_TO_SPACE"); }
    TfLiteStatus AddDepthwiseConv2D() { return Add("DEPTHWISE_CONV_2D"); }
    TfLiteStatus AddDequantize() { return Add("DEQUANTIZE"); }
    TfLiteStatus AddDetectionPostprocess() { return Add("TFLite_Detection_PostProcess"); }
    TfLiteStatus AddDiv() { return Add("DIV"); }
    TfLiteStatus AddDynamicUpdateSlice() { return Add("DYNAMIC_UPDATE_SLICE"); }
    TfLiteStatus AddEmbeddingLookup() { return Add("EMBEDDING_LOOKUP"); }
    TfLiteStatus AddEnergy() { return Add("SignalEnergy"); }
    TfLiteStatus AddElu() { return Add("ELU"); }
    TfLiteStatus AddEqual() { return Add("EQUAL"); }
    TfLiteStatus AddEthosU() { return Add("ethos-u"); }
    TfLiteStatus AddExp() { return Add("EXP"); }
    TfLiteStatus AddExpandDims() { return Add("EXPAND_DIMS"); }
    TfLiteStatus AddFftAutoScale() { return Add("SignalFftAutoScale"); }
    TfLiteStatus AddFill() { return Add("FILL"); }
    TfLiteStatus AddFilterBank() { return Add("SignalFilterBank"); }
    TfLiteStatus AddFilterBankLog() { return Add("SignalFilterBankLog"); }
    TfLiteStatus AddFilterBankSquareRoot() { return Add("SignalFilterBankSquareRoot"); }
    TfLiteStatus AddFilterBankSpectralSubtraction() { return Add("SignalFilterBankSpectralSubtraction"); }
    TfLiteStatus AddFloor() { return Add("FLOOR"); }
    TfLiteStatus AddFloorDiv() { return Add("FLOOR_DIV"); }
    TfLiteStatus AddFloorMod() { return Add("FLOOR_MOD"); }
    TfLiteStatus AddFramer() { return Add("SignalFramer"); }
    TfLiteStatus AddFullyConnected() { return Add("FULLY_CONNECTED"); }
    TfLiteStatus AddGather() { return Add("GATHER"); }
    TfLiteStatus AddGatherNd() { return Add("GATHER_ND"); }
    TfLiteStatus AddGreater() { return Add("GREATER"); }
    TfLiteStatus AddGreaterEqual() { return Add("GREATER_EQUAL"); }
    TfLiteStatus AddHardSwish() { return Add("HARD_SWISH"); }
    TfLiteStatus AddIf() { return Add("IF"); }
    TfLiteStatus AddIrfft() { return Add("SignalIrfft"); }
    TfLiteStatus AddL2Normalization() { return Add("L2_NORMALIZATION"); }
    TfLiteStatus AddL2Pool2D() { return Add("L2_POOL_2D"); }
    TfLiteStatus AddLeakyRelu() { return Add("LEAKY_RELU"); }
    TfLiteStatus AddLess() { return Add("LESS"); }
    TfLiteStatus AddLessEqual() { return Add("LESS_EQUAL"); }
    TfLiteStatus AddLog() { return Add("LOG"); }
    TfLiteStatus AddLogicalAnd() { return Add("LOGICAL_AND"); }
    TfLiteStatus AddLogicalNot() { return Add("LOGICAL_NOT"); }
    TfLiteStatus AddLogicalOr() { return Add("LOGICAL_OR"); }
    TfLiteStatus AddLogistic() { return Add("LOGISTIC"); }
    TfLiteStatus AddLogSoftmax() { return Add("LOG_SOFTMAX"); }
    TfLiteStatus AddMaximum() { return Add("MAXIMUM"); }
    TfLiteStatus AddMaxPool2D() { return Add("MAX_POOL_2D"); }
    TfLiteStatus AddMirrorPad() { return Add("MIRROR_PAD"); }
    TfLiteStatus AddMean() { return Add("MEAN"); }
    TfLiteStatus AddMinimum() { return Add("MINIMUM"); }
    TfLiteStatus AddMul() { return Add("MUL"); }
    TfLiteStatus AddNeg() { return Add("NEG"); }
    TfLiteStatus AddNotEqual() { return Add("NOT_EQUAL"); }
    TfLiteStatus AddOverlapAdd() { return Add("SignalOverlapAdd"); }
    TfLiteStatus AddPack() { return Add("PACK"); }
    TfLiteStatus AddPad() { return Add("PAD"); }
    TfLiteStatus AddPadV2() { return Add("PADV2"); }
    TfLiteStatus AddPCAN() { return Add("SignalPCAN"); }
    TfLiteStatus AddPrelu() { return Add("PRELU"); }
    TfLiteStatus AddQuantize() { return Add("QUANTIZE"); }
    TfLiteStatus AddReadVariable() { return Add("READ_VARIABLE"); }
    TfLiteStatus AddReduceAll() { return Add("REDUCE_ALL"); }
    TfLiteStatus AddReduceMax() { return Add("REDUCE_MAX"); }
    TfLiteStatus AddReduceMin() { return Add("REDUCE_MIN"); }
    TfLiteStatus AddRelu() { return Add("RELU"); }
    TfLiteStatus AddRelu6() { return Add("RELU6"); }
    TfLiteStatus AddReshape() { return Add("RESHAPE"); }
    TfLiteStatus AddResizeBilinear() { return Add("RESIZE_BILINEAR"); }
    TfLiteStatus AddResizeNearestNeighbor() { return Add("RESIZE_NEAREST_NEIGHBOR"); }
    TfLiteStatus AddReverseV2() { return Add("REVERSE_V2"); }
    TfLiteStatus AddRfft() { return Add("SignalRfft"); }
    TfLiteStatus AddRound() { return Add("ROUND"); }
    TfLiteStatus AddRsqrt() { return Add("RSQRT"); }
    TfLiteStatus AddSelectV2() { return Add("SELECT_V2"); }
    TfLiteStatus AddShape() { return Add("SHAPE"); }
    TfLiteStatus AddSin() { return Add("SIN"); }
    TfLiteStatus AddSlice() { return Add("SLICE"); }
    TfLiteStatus AddSoftmax() { return Add("SOFTMAX"); }
    TfLiteStatus AddSpaceToBatchNd() { return Add("SPACE_TO_BATCH_ND"); }
    TfLiteStatus AddSpaceToDepth() { return Add("SPACE_TO_DEPTH"); }
    TfLiteStatus AddSplit() { return Add("SPLIT"); }
    TfLiteStatus AddSplitV() { return Add("SPLIT_V"); }
    TfLiteStatus AddSqueeze() { return Add("SQUEEZE"); }
    TfLiteStatus AddSqrt() { return Add("SQRT"); }
    TfLiteStatus AddSquare() { return Add("SQUARE"); }
    TfLiteStatus AddSquaredDifference() { return Add("SQUARED_DIFFERENCE"); }
    TfLiteStatus AddStridedSlice() { return Add("STRIDED_SLICE"); }
    TfLiteStatus AddStacker() { return Add("SignalStacker"); }
    TfLiteStatus AddSub() { return Add("SUB"); }
    TfLiteStatus AddSum() { return Add("SUM"); }
    TfLiteStatus AddSvdf() { return Add("SVDF"); }
    TfLiteStatus AddTanh() { return Add("TANH"); }
    TfLiteStatus AddTransposeConv() { return Add("TRANSPOSE_CONV"); }
    TfLiteStatus AddTranspose() { return Add("TRANSPOSE"); }
    TfLiteStatus AddUnpack() { return Add("UNPACK"); }
    TfLiteStatus AddUnidirectionalSequenceLSTM() { return Add("UNIDIRECTIONAL_SEQUENCE_LSTM"); }
    TfLiteStatus AddVarHandle() { return Add("VAR_HANDLE"); }
    TfLiteStatus AddWhile() { return Add("WHILE"); }
    TfLiteStatus AddWindow() { return Add("SignalWindow"); }
    TfLiteStatus AddZerosLike() { return Add("ZEROS_LIKE"); }

   private:
    const char *places_[tOpCount] = {};
};

}  // namespace tflite

#endif
