package org.gatun.cli;

import java.util.Locale;
import java.util.Optional;
import org.gatun.model.Model;

/// What models take of the host's memory, but for activations, which are small beside it. Weights are all touched while they are prepared;
/// keys and values are taken as a text grows.
///
/// @param weightBytes of the weights
/// @param cacheBytes of keys and values of a full context
/// @param context tokens of the target's context
record MemoryNeed(long weightBytes, long cacheBytes, int context) {

    /// What a model and a session of it take.
    static MemoryNeed of(Model model) {
        return new MemoryNeed(model.weightBytes(), model.kvLayout().byteSize(model.contextLength()), model.contextLength());
    }

    MemoryNeed plus(MemoryNeed draft) {
        return new MemoryNeed(weightBytes + draft.weightBytes, cacheBytes + draft.cacheBytes, context);
    }

    /// What to warn of; empty if there is room.
    ///
    /// @throws IllegalArgumentException if it can never fit: weights, or keys and values, alone are more than all memory and swap
    Optional<String> problem(HostMemory memory) {
        String need = "weights of " + gibibytes(weightBytes) + " and keys and values of " + gibibytes(cacheBytes) + " for "
                + context + " tokens";
        String remedy = ": choose a smaller model, --quantize, --kv-type q8_0 or a smaller --context";
        if (Math.max(weightBytes, cacheBytes) > memory.totalBytes()) {
            throw new IllegalArgumentException(need + " do not fit into the " + gibibytes(memory.totalBytes()) + " that "
                    + memory.owner() + " has" + remedy);
        }
        return weightBytes + cacheBytes <= memory.availableBytes() ? Optional.empty()
                : Optional.of(need + " are more than the " + gibibytes(memory.availableBytes()) + " that " + memory.owner()
                        + " has free, so the process may be killed" + remedy);
    }

    private static String gibibytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f GiB", bytes / 0x1p30);
    }
}
