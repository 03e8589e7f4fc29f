/* A build without protobuf-c or ONNX's schema records graphs and writes none. */
#include "onnx/record.h"

gls_status gls_onnx_write(gls_onnx *onnx, const char *path) {
    (void)path;
    if (onnx->status != GLS_OK) return onnx->status;
    return gls_fail(onnx->ctx, GLS_ERR_UNSUPPORTED,
                    "this Glissade was built without ONNX: install libonnx-dev, libprotobuf-c-dev and "
                    "protobuf-c-compiler and build again");
}
