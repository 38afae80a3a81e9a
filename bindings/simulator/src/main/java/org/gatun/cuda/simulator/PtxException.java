package org.gatun.cuda.simulator;

/// PTX that cannot be read, or that the simulator does not run.
final class PtxException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    PtxException(int line, String message) {
        super("line " + line + ": " + message);
    }
}
