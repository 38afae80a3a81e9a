package org.gatun.cuda.simulator;

import java.util.Map;

/// The driver's error numbers that the simulator gives.
final class SimulatorError {
    static final int INVALID_VALUE = 1;
    static final int OUT_OF_MEMORY = 2;
    static final int INVALID_DEVICE = 101;
    static final int INVALID_CONTEXT = 201;
    static final int NO_BINARY_FOR_GPU = 209;
    static final int INVALID_PTX = 218;
    static final int UNSUPPORTED_PTX_VERSION = 222;
    static final int INVALID_HANDLE = 400;
    static final int ILLEGAL_STATE = 401;
    static final int NOT_FOUND = 500;
    static final int NOT_READY = 600;
    static final int ILLEGAL_ADDRESS = 700;
    static final int LAUNCH_OUT_OF_RESOURCES = 701;
    static final int MISALIGNED_ADDRESS = 716;
    static final int LAUNCH_FAILED = 719;
    static final int COOPERATIVE_LAUNCH_TOO_LARGE = 720;
    static final int STREAM_CAPTURE_UNSUPPORTED = 900;
    static final int STREAM_CAPTURE_INVALIDATED = 901;
    static final int STREAM_CAPTURE_UNMATCHED = 903;
    static final int STREAM_CAPTURE_UNJOINED = 904;
    static final int INVALID_CLUSTER_SIZE = 912;

    private record Text(String name, String description) {}

    private static final Map<Integer, Text> TEXTS = Map.ofEntries(
            text(0, "CUDA_SUCCESS", "no error"),
            text(INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "a parameter is out of its range"),
            text(OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "the device has not so much free memory"),
            text(INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "there is no such device"),
            text(INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "no context is current on this thread"),
            text(NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU", "the code is for another kind of device"),
            text(INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "the PTX cannot be compiled"),
            text(UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the PTX is of a newer version"),
            text(INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "there is nothing of this handle, or no longer"),
            text(ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE", "this cannot be done now"),
            text(NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "there is nothing of this name"),
            text(NOT_READY, "CUDA_ERROR_NOT_READY", "the work is not done yet"),
            text(ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "a kernel touched memory that is not there"),
            text(LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "the block needs more than a multiprocessor has"),
            text(MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS", "a kernel touched an address that is not aligned"),
            text(LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "a kernel failed"),
            text(COOPERATIVE_LAUNCH_TOO_LARGE, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "not all blocks fit at a time"),
            text(STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "this cannot be done while a stream is captured"),
            text(STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "the capture failed earlier"),
            text(STREAM_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture was not begun in this stream"),
            text(STREAM_CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "a stream that joined the capture was not awaited"),
            text(INVALID_CLUSTER_SIZE, "CUDA_ERROR_INVALID_CLUSTER_SIZE", "the blocks cannot form such clusters"));

    private SimulatorError() {}

    private static Map.Entry<Integer, Text> text(int code, String name, String description) {
        return Map.entry(code, new Text(name, description));
    }

    static String name(int code) {
        return TEXTS.getOrDefault(code, new Text("CUDA_ERROR_UNKNOWN", "")).name;
    }

    static String description(int code) {
        return TEXTS.getOrDefault(code, new Text("", "error " + code)).description;
    }
}
