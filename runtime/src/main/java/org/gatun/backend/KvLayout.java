package org.gatun.backend;

import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.gatun.backend.LayerState.Attention;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;
import org.gatun.tensor.DType;

/// What is kept of each token: its keys and values in every layer.
///
/// @param layers what each layer keeps, in order
/// @param dtype stored type, one of [#TYPES]; blocks of a quantized one begin anew at each head, whose last may be cut short
public record KvLayout(List<Attention> layers, DType dtype) {
    /// The types that keys and values can be stored in. Not every backend has all.
    public static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0);

    /// Most slots of a text: positions up to here are whole numbers in f32, which rotation takes them as.
    public static final int MAX_SLOTS = 1 << 24;

    /// @throws IllegalArgumentException if there is no layer, [#MAX_SLOTS] slots take 2⁶³ bytes, or the type is none of [#TYPES]
    public KvLayout {
        requireType(dtype);
        layers = List.copyOf(layers);
        if (layers.isEmpty()) {
            throw new IllegalArgumentException("keys and values of no layers: expected one or more");
        }
        try {
            Math.multiplyExact(slotBytes(layers, dtype), (long) MAX_SLOTS);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("keys and values of " + describe(layers) + " in " + dtype + ": expected less than 2^63 bytes "
                    + "for " + MAX_SLOTS + " tokens", e);
        }
    }

    /// Layers that are all alike, without a window.
    ///
    /// @throws IllegalArgumentException as by the constructor
    public static KvLayout uniform(int layers, int kvHeads, int headDim, DType dtype) {
        return new KvLayout(Collections.nCopies(layers, new Attention(kvHeads, headDim, 0)), dtype);
    }

    /// @throws IllegalArgumentException if there are more than [#MAX_SLOTS]
    public static void requireSlots(int slots) {
        if (slots > MAX_SLOTS) {
            throw new IllegalArgumentException("context of " + slots + " tokens: expected at most " + MAX_SLOTS);
        }
    }

    /// @throws IllegalArgumentException if keys and values cannot be stored in a type
    public static void requireType(DType type) {
        if (!TYPES.contains(type)) {
            throw new IllegalArgumentException("KV cache of " + type + ": expected one of " + TYPES);
        }
    }

    /// Bytes that the keys, or the values, of a head of a layer take in a slot.
    public int headBytes(int layer) {
        return headBytes(layers.get(layer), dtype);
    }

    private static int headBytes(Attention layer, DType dtype) {
        int blocks = Math.ceilDiv(layer.headDim(), dtype.blockElements());
        return dtype.isQuantized() ? Math.addExact(layer.headDim(), Math.multiplyExact(blocks, dtype.blockBytes() - dtype.blockElements()))
                : Math.multiplyExact(layer.headDim(), dtype.blockBytes());
    }

    /// Bytes of a slot, keys and values of all layers.
    public long slotBytes() {
        return slotBytes(layers, dtype);
    }

    private static long slotBytes(List<Attention> layers, DType dtype) {
        long bytes = 0;
        for (Attention layer : layers) {
            bytes = Math.addExact(bytes, 2L * Math.multiplyExact((long) layer.kvHeads(), headBytes(layer, dtype)));
        }
        return bytes;
    }

    /// Bytes of so many slots.
    public long byteSize(int slots) {
        return slots * slotBytes();
    }

    /// Positions that some layer attends to, its own included: the longest window; 0 if a layer has none, and attends to all.
    public int window() {
        return layers.stream().anyMatch(layer -> layer.window() == 0) ? 0 : layers.stream().mapToInt(Attention::window).max().orElseThrow();
    }

    /// Checks that every layer keeps what a plan stores and reads there.
    ///
    /// @throws IllegalArgumentException if one does not
    public void requireFits(Plan plan) {
        for (Op op : plan.ops()) {
            switch (op) {
                case Op.Attention(int layer, _, AttentionShape shape, _) ->
                    requireFits(layer, shape.kvHeads() * shape.headDim(), shape.headDim());
                case Op.AppendKv(int layer, Value keys, _) -> requireFits(layer, keys.width(), 0);
                case Op.Input _, Op.Embed _, Op.RmsNorm _, Op.MatMul _, Op.Rope _, Op.Elementwise _, Op.SelectRows _ -> { }
            }
        }
    }

    private void requireFits(int number, int width, int headDim) {
        Attention layer = number < 0 || number >= layers.size() ? null : layers.get(number);
        if (layer == null || layer.kvHeads() * layer.headDim() != width || headDim != 0 && layer.headDim() != headDim) {
            throw new IllegalArgumentException("keys and values of " + this + ": the plan has " + width + " elements of them in layer "
                    + number + (headDim == 0 ? "" : ", in heads of " + headDim));
        }
    }

    /// As in messages: `16384 tokens in 4 layers with 2 key-value heads of 64 elements in F16, 32.0 MiB`.
    public String describe(int slots) {
        return String.format(Locale.ROOT, "%d tokens in %s, %.1f MiB", slots, this, byteSize(slots) / 0x1p20);
    }

    /// As in messages: `4 layers with 2 key-value heads of 64 elements in F16`.
    @Override
    public String toString() {
        return describe(layers) + " in " + dtype;
    }

    private static String describe(List<Attention> layers) {
        return layers.size() + (layers.size() == 1 ? " layer with " : " layers with ")
                + layers.stream().map(layer -> layer.kvHeads() + " key-value heads of " + layer.headDim() + " elements").distinct()
                        .collect(Collectors.joining(" or "));
    }
}
