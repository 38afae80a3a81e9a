package org.gatun.model.convert;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/// A process that quantizes a model: its memory can be bounded.
final class QuantizingProcess {
    private QuantizingProcess() {}

    /// @param arguments model, what to write, type, and anything more for double quantization
    public static void main(String[] arguments) throws IOException {
        try (ModelQuantizer quantizer = ModelQuantizer.open(Path.of(arguments[0]))) {
            WeightTypes types = new WeightTypes(WeightTypes.parse(arguments[2]));
            quantizer.write(Path.of(arguments[1]), arguments.length > 3 ? types.withNestedMagnitudes() : types, Optional.empty(), _ -> { });
        }
    }
}
