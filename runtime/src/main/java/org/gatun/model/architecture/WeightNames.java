package org.gatun.model.architecture;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// What the weights of an architecture are called: in GGUF, by which Gatun knows them, and in safetensors of Hugging Face.
public final class WeightNames {
    private static final Pattern BLOCK = Pattern.compile("^blk\\.\\d+\\.");
    private static final Pattern BLOCK_MATRIX = Pattern.compile("blk\\.\\d+\\.(attn_(q|k|v|output)|ffn_(gate|up|down))\\.weight");

    private final Map<String, String> outer;
    private final Map<String, String> ofBlock;

    /// @param outer names outside of the blocks, without `.weight`: theirs by GGUF's
    /// @param ofBlock names within a block, without `.weight` and `.bias`: theirs by GGUF's; what ends in `norm` has no bias
    WeightNames(Map<String, String> outer, Map<String, String> ofBlock) {
        this.outer = Map.copyOf(outer);
        this.ofBlock = Map.copyOf(ofBlock);
    }

    /// The GGUF names of all weights that a model of so many layers may have: those that [Architecture#record] asks for.
    public List<String> ofGguf(int layers) {
        List<String> names = new ArrayList<>();
        outer.keySet().stream().sorted().forEach(part -> names.add(part + ".weight"));
        for (int layer = 0; layer < layers; layer++) {
            for (String part : ofBlock.keySet().stream().sorted().toList()) {
                names.add("blk." + layer + "." + part + ".weight");
                if (!part.endsWith("norm")) {
                    names.add("blk." + layer + "." + part + ".bias");
                }
            }
        }
        return names;
    }

    /// What Hugging Face calls a weight.
    ///
    /// @param name as in GGUF
    /// @throws IllegalArgumentException if it has no name there
    public String ofHuggingFace(String name) {
        String[] parts = name.split("\\.");
        if (parts.length == 2 && outer.containsKey(parts[0])) {
            return outer.get(parts[0]) + "." + parts[1];
        }
        if (parts.length == 4 && parts[0].equals("blk") && ofBlock.containsKey(parts[2])) {
            return "model.layers." + parts[1] + "." + ofBlock.get(parts[2]) + "." + parts[3];
        }
        throw new IllegalArgumentException("tensor " + name + " has no name in safetensors models: write FILE.gguf");
    }

    /// A GGUF name without its block.
    public static String part(String name) {
        return BLOCK.matcher(name).replaceFirst("");
    }

    /// Whether a GGUF name is that of a matrix of a block.
    public static boolean isBlockMatrix(String name) {
        return BLOCK_MATRIX.matcher(name).matches();
    }
}
