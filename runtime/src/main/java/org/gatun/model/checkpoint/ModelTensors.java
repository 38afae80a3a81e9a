package org.gatun.model.checkpoint;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.gatun.format.FormatReport;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// Which tensors of a file a model is made of, and what becomes of the others. Under a name of the architecture a tensor is a weight, and
/// one that nobody reads is refused, unless it holds integers only; under other names it is another program's, and is said once.
///
/// @param file name of the file, for notes
/// @param weights pattern of the names that belong to the architecture
/// @param harmless patterns of names that belong to it and change nothing, and why
record ModelTensors(String file, Pattern weights, Map<String, String> harmless) {
    private static final Set<DType> INTEGERS = Set.of(DType.I64, DType.I32, DType.I16, DType.I8, DType.U8, DType.BOOL);
    private static final int MAX_NAMED = 5;

    private static final Pattern GGUF_WEIGHTS = Pattern.compile(
            "(blk|output|output_norm|token_embd|token_embd_norm|token_types|position_embd|rope_factors_\\w+|rope_freqs|cls|enc|dec|nextn"
                    + "|altup_\\w+|per_layer_\\w+)(\\..*)?");
    private static final Map<String, String> GGUF_HARMLESS = Map.of(
            ".*\\.input_scale", "of activations of 4 bits, which are left as they are",
            "blk\\.\\d+\\.attn_rot_embd(\\.weight)?", "frequencies follow from the keys of rope");

    private static final Pattern HUGGING_FACE_WEIGHTS = Pattern.compile(
            "(model|lm_head|transformer|base_model|language_model|score|classifier|fc)(\\..*)?");
    private static final Map<String, String> HUGGING_FACE_HARMLESS = Map.of(
            ".*rotary_emb\\.(inv_freq|cos_cached|sin_cached)", "frequencies follow from config.json",
            ".*\\.(masked_bias|position_ids)", "a mask or positions, which follow from the text",
            ".*\\.(input_scale|input_global_scale)", "of activations of 4 bits, which are left as they are",
            ".*\\.([kv]_scale|[kqv]_zero_point)", "of keys and values of 8 bits, which are stored otherwise",
            "(.*\\.)?(vision_tower|vision_model|visual|multi_modal_projector|mm_projector|audio_tower|image_newline)(\\..*)?",
            "texts are read, nothing else");

    /// The tensors of a GGUF file.
    static ModelTensors ofGguf(String file) {
        return new ModelTensors(file, GGUF_WEIGHTS, GGUF_HARMLESS);
    }

    /// The tensors of a safetensors model.
    static ModelTensors ofHuggingFace(String file) {
        return new ModelTensors(file, HUGGING_FACE_WEIGHTS, HUGGING_FACE_HARMLESS);
    }

    /// Notes what becomes of each tensor.
    ///
    /// @param tensors those of types that are read
    /// @param unreadable the types of the others, by name
    /// @param wanted names that the model asks for
    /// @param taken names that it is made of
    /// @param supported types that are read, for messages
    /// @param owner what has no place for the others, for messages
    void note(FormatReport report, Collection<Tensor> tensors, Map<String, String> unreadable, Set<String> wanted, Set<String> taken,
            String supported, String owner) {
        List<String> others = new ArrayList<>();
        for (Tensor tensor : tensors) {
            if (taken.contains(tensor.name())) {
                report.read(file, tensor.name());
            } else {
                noteUnread(report, tensor.name(), INTEGERS.contains(tensor.dtype()), owner, others);
            }
        }
        unreadable.forEach((name, type) -> {
            if (wanted.contains(name)) {
                report.refuse(file, name, "type " + type + " is not supported: expected one of " + supported);
            } else {
                noteUnread(report, name, false, owner, others);
            }
        });
        if (!others.isEmpty()) {
            String more = others.size() > MAX_NAMED ? " and " + (others.size() - MAX_NAMED) + " more" : "";
            report.warn(file + ": tensors " + String.join(", ", others.subList(0, Math.min(MAX_NAMED, others.size()))) + more + ": " + owner
                    + " has no place for them, and they are passed over");
        }
    }

    private void noteUnread(FormatReport report, String name, boolean integers, String owner, List<String> others) {
        Optional<String> reason = harmless.entrySet().stream().filter(entry -> name.matches(entry.getKey())).map(Map.Entry::getValue)
                .findFirst();
        if (reason.isPresent()) {
            report.ignore(file, name, reason.get());
        } else if (!integers && weights.matcher(name).matches()) {
            report.refuse(file, name, owner + " has no place for it");
        } else {
            report.ignore(file, name, owner + " has no place for it");
            others.add(name);
        }
    }

    /// A weight with the dimensions that its name asks for: writers leave dimensions of 1 about.
    ///
    /// @param name as in GGUF
    static Tensor shaped(String name, Tensor tensor) {
        boolean matrix = name.endsWith(".weight") && !name.endsWith("_norm.weight") && !name.startsWith("rope_");
        int rank = matrix ? 2 : 1;
        List<Long> sizes = tensor.shape().dimensions().stream().filter(size -> size != 1).toList();
        if (tensor.shape().rank() == rank || sizes.size() != rank && !(rank == 1 && sizes.isEmpty())) {
            return tensor;
        }
        Shape shape = sizes.isEmpty() ? Shape.of(1) : new Shape(sizes);
        boolean sameRows = shape.columns() == tensor.shape().columns() || !tensor.dtype().isQuantized();
        return sameRows ? new Tensor(tensor.name(), tensor.dtype(), shape, tensor.data()) : tensor;
    }

    /// Refuses weights that are integers without what they are to be multiplied by.
    void requireNumbers(FormatReport report, Tensor weight) {
        if (INTEGERS.contains(weight.dtype()) || weight.dtype() == DType.F8_E4M3) {
            report.refuse(file, weight.name(), "weights of " + weight.dtype() + " are not supported");
        }
    }
}
