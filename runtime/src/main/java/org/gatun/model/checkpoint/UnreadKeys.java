package org.gatun.model.checkpoint;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gatun.format.FormatReport;
import org.gatun.format.Metadata;

/// What becomes of the keys of a file that no reader asks for: the first rule that names a key decides, and where none does, the kind of
/// file. What is read is not listed here: whoever reads a key notes so ([GgufKeys], [JsonKeys]).
///
/// A value that says "off" (`null`, `false`, 0, nothing in it) changes nothing, whatever its key, unless a rule says otherwise.
final class UnreadKeys {

    /// What becomes of a key.
    enum Effect {
        /// It changes nothing, whatever it says.
        NONE,
        /// It would change the text if it is on: such a model is refused.
        REFUSED,
        /// It might change the text if it is on, and is said once.
        WARNED
    }

    /// @param name of the key, `*` for any characters
    /// @param off whether a value, of [JsonKeys#plain] or of GGUF metadata, changes nothing
    /// @param reason why it changes nothing, or what is not done
    record Rule(String name, Effect effect, Predicate<Object> off, String reason) {
        boolean names(String key) {
            return pattern(name).matcher(key).matches();
        }

        private static Pattern pattern(String name) {
            return Pattern.compile(Arrays.stream(name.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*")));
        }
    }

    private static final Predicate<Object> OFF = UnreadKeys::isOff;
    private static final Predicate<Object> OFF_OR_ONE = value -> isOff(value) || value instanceof Number number && number.doubleValue() == 1;
    private static final Predicate<Object> TRUE = value -> value == null || Boolean.TRUE.equals(value);

    /// Settings of generation that other programs apply and that Gatun does not have.
    private static final String[] LIMITS_OF_TOKENS = {"suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "force_words_ids",
        "forced_bos_token_id", "forced_eos_token_id", "forced_decoder_ids", "sequence_bias", "constraints", "stop_strings"};
    private static final String[] GENERATION = {"max_length", "max_new_tokens", "min_length", "min_new_tokens", "do_sample",
        "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "min_p", "typical_p",
        "epsilon_cutoff", "eta_cutoff", "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size",
        "num_return_sequences", "remove_invalid_values", "exponential_decay_length_penalty", "renormalize_logits", "task_specific_params",
        "generation_kwargs", "penalty_alpha", "guidance_scale", "max_time", "low_memory", "num_assistant_tokens*", "user_token_id",
        "assistant_token_id", "chat_format", "max_window_size", "max_context_size"};

    /// Keys of a GGUF file under the prefix of its architecture, without it.
    static final UnreadKeys OF_ARCHITECTURE = new UnreadKeys(Effect.REFUSED, "is not known, and could change the text", rules(
            none("describes the file", "name", "source*", "tensor_data_layout"),
            none("the norms are RMS norms, which have an epsilon of their own", "attention.layer_norm_epsilon"),
            none("the factor is applied, trained with or not", "rope.scaling.finetuned"),
            none("matters to embeddings of texts only", "pooling_type", "classifier.output_labels"),
            none("matters to models with experts only, see expert_count", "expert_used_count", "expert_feed_forward_length",
                    "expert_weights_*", "expert_gating_func"),
            refused(OFF, "experts are not supported", "expert_count", "expert_shared_count", "expert_group_*"),
            refused(TRUE, "attention to later tokens is not supported", "attention.causal"),
            refused(OFF_OR_ONE, "factors on hidden states or logits are not supported", "logit_scale", "embedding_scale", "residual_scale"),
            refused(OFF, "factors on attention other than that of the head size are not supported", "attention.scale"),
            refused(OFF, "soft limits of logits are not supported", "attn_logit_softcapping", "final_logit_softcapping",
                    "router_logit_softcapping"),
            refused(OFF, "limits of queries, keys and values are not supported", "attention.clamp_kqv"),
            refused(OFF, "positions as biases of attention are not supported", "attention.max_alibi_bias"),
            refused(OFF, "attention beside the feed-forward part is not supported", "use_parallel_residual"),
            refused(OFF_OR_ONE, "only a full share of extrapolation is supported", "rope.scaling.yarn_ext_factor"),
            refused(OFF, "writers disagree about its meaning: state rope.scaling.attn_factor", "rope.scaling.yarn_log_multiplier"),
            none("matters to YaRN only", "rope.scaling.yarn_*"),
            refused(OFF, "positions of several kinds are not supported", "rope.dimension_sections"),
            refused(OFF, "layers that differ are not supported", "rope.freq_base_swa", "rope.dimension_count_swa",
                    "attention.key_length_swa", "attention.value_length_swa", "attention.shared_kv_layers"),
            refused(OFF, "layers that predict several tokens are not supported", "nextn_predict_layers")));

    /// All other keys of a GGUF file, with their prefixes.
    static final UnreadKeys OF_GGUF = new UnreadKeys(Effect.NONE, "another program's", rules(
            none("recommended settings, which the caller chooses", "general.sampling.*"),
            none("describes the file", "general.*"),
            none("says how the file was made", "quantize.*", "imatrix.*", "mergekit.*")));

    /// Keys of `config.json`.
    static final UnreadKeys OF_CONFIG = new UnreadKeys(Effect.WARNED, "is not known", rules(
            none("describes the file", "_name_or_path", "name_or_path", "_commit_hash", "transformers_version", "transformers.js_config",
                    "unsloth_*", "model_name", "license"),
            none("the types of the weights are read from their files", "torch_dtype", "dtype", "_pre_quantization_dtype"),
            none("matters to training only", "*dropout*", "*_pdrop", "initializer_range", "init_std", "gradient_checkpointing",
                    "neftune_noise_alpha", "finetuning_task", "id2label", "label2id", "num_labels", "problem_type", "loss_type",
                    "router_aux_loss_coef", "output_router_logits"),
            none("changes how it is computed, not what", "use_cache", "pretraining_tp", "attn_implementation", "_attn_implementation*",
                    "_flash_attn*", "use_flash_att*", "use_bfloat16", "chunk_size_feed_forward", "cache_implementation", "torchscript",
                    "output_attentions", "output_hidden_states", "output_scores", "num_logits_to_keep", "return_dict*", "tf_legacy_loss", "is_decoder",
                    "tie_encoder_decoder", "use_memory_efficient_attention"),
            none("the tokenizer says so itself", "bos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id",
                    "decoder_start_token_id", "tokenizer_class", "prefix", "model_max_length", "pad_token", "bos_token", "eos_token"),
            none("max_position_embeddings says so", "max_sequence_length", "seq_length", "max_seq_len", "n_positions", "n_ctx",
                    "original_max_position_embeddings"),
            none("the norms are RMS norms, which have an epsilon of their own", "layer_norm_eps", "layer_norm_epsilon"),
            none("texts are read, nothing else", "vision_config", "audio_config"),
            none("the model has one kind of feed-forward part", "decoder_sparse_step", "norm_topk_prob", "moe_intermediate_size",
                    "num_experts_per_tok*", "mlp_only_layers", "shared_expert_intermediate_size"),
            warned("is not done", LIMITS_OF_TOKENS),
            none("a setting of generation, which the caller chooses", GENERATION),
            new Rule[] {new Rule("auto_map", Effect.WARNED, value -> isOff(value) || value instanceof Map<?, ?> map
                    && !map.containsKey("AutoModelForCausalLM") && !map.containsKey("AutoModel"),
                    "names code beside the model, which is not run: texts differ if it computes anything else than the architecture does")},
            refused(OFF_OR_ONE, "rotation of a part of a head is not supported", "partial_rotary_factor", "rotary_p*", "rope_p*"),
            refused(OFF, "this form of rotary positions is not supported", "rotary_dim", "rope_interleaved", "rope_traditional",
                    "rope_local_base_freq", "no_rope_layer*", "nope_layer*", "mrope_*"),
            refused(TRUE, "positions other than rotary ones are not supported", "use_rope", "rotary"),
            refused(OFF, "positions as biases of attention are not supported", "alibi", "use_alibi"),
            refused(OFF_OR_ONE, "factors on hidden states or logits are not supported", "residual_multiplier", "embedding_multiplier",
                    "logits_scaling", "logit_scale", "embedding_scale", "scale_emb", "scale_depth", "mup_*", "*_multiplier"),
            refused(OFF, "factors on attention other than that of the head size are not supported", "query_pre_attn_scalar",
                    "attention_scale", "attn_scale", "attn_temperature_tuning"),
            refused(OFF, "soft limits of logits are not supported", "*softcap*", "*soft_cap*"),
            refused(OFF, "limits of queries, keys and values are not supported", "clip_qkv"),
            refused(OFF, "experts are not supported", "num_experts", "num_local_experts", "n_routed_experts", "n_shared_experts",
                    "moe_*", "first_k_dense_replace"),
            refused(TRUE, "attention to later tokens is not supported", "is_causal", "use_causal_mask"),
            refused(OFF, "encoders are not supported", "is_encoder_decoder", "add_cross_attention", "cross_attention*"),
            refused(OFF, "heads that were taken out are not supported", "pruned_heads"),
            refused(OFF, "norms at other places than the architecture has are not supported", "*qk_norm", "*qk_layernorm", "*post_norm",
                    "sandwich_norm"),
            refused(OFF, "attention beside the feed-forward part is not supported", "parallel_attn", "*parallel_residual"),
            refused(OFF, "gates and sinks of attention are not supported", "attn_output_gate", "attention_sink*", "attention_chunk_size"),
            refused(OFF, "biases that attention_bias and mlp_bias do not speak of are not supported", "use_bias", "bias", "add_bias*",
                    "lm_head_bias"),
            refused(OFF, "layers that predict several tokens are not supported", "num_nextn_predict_layers"),
            refused(OFF, "layers that share or differ are not supported", "num_kv_shared_layers", "block_configs",
                    "vocab_size_per_layer_input", "hidden_size_per_layer_input"),
            refused(OFF, "sizes of a part of a larger model are not supported", "text_config", "draft_vocab_size", "peft_*"),
            refused(OFF, "weights quantized so are not supported", "quantization", "compression_config", "sparsity_config")));

    /// Keys of `generation_config.json`.
    static final UnreadKeys OF_GENERATION = new UnreadKeys(Effect.NONE, "a setting of generation, which the caller chooses", rules(
            warned("is not done", LIMITS_OF_TOKENS),
            none("describes the file", "_from_model_config", "transformers_version", "_commit_hash", "trust_remote_code"),
            none("the tokenizer says so itself", "bos_token_id", "pad_token_id", "decoder_start_token_id")));

    /// Keys of the scaling of rotary positions in `config.json`.
    static final UnreadKeys OF_ROPE = new UnreadKeys(Effect.REFUSED, "is not known, and could change the text", rules(
            none("the factor is applied, trained with or not", "finetuned"),
            refused(OFF_OR_ONE, "rotation of a part of a head is not supported", "partial_rotary_factor"),
            refused(OFF, "positions of several kinds are not supported", "mrope_section", "mrope_interleaved")));

    /// Texts of whoever wrote a safetensors file, and of an index.
    static final UnreadKeys OF_REMARKS = new UnreadKeys(Effect.NONE, "a remark of whoever wrote the file", rules(
            new Rule[] {new Rule("format", Effect.WARNED, value -> isOff(value) || Set.of("pt", "np", "mlx").contains(value),
                    "names a program whose weights may be turned about")}));

    private final Effect unknown;
    private final String unknownReason;
    private final List<Rule> rules;

    private UnreadKeys(Effect unknown, String unknownReason, List<Rule> rules) {
        this.unknown = unknown;
        this.unknownReason = unknownReason;
        this.rules = rules;
    }

    /// The rules, in the order in which they are looked through.
    List<Rule> rules() {
        return rules;
    }

    /// Notes what becomes of a key.
    ///
    /// @param prefix of the name that is noted, as `llama.`
    void note(FormatReport report, String file, String prefix, String key, Object value) {
        Optional<Rule> rule = rules.stream().filter(candidate -> candidate.names(key)).findFirst();
        Effect effect = rule.map(Rule::effect).orElse(unknown);
        String reason = rule.map(Rule::reason).orElse(unknownReason);
        String name = prefix + key;
        if (effect == Effect.NONE) {
            report.ignore(file, name, reason);
        } else if (rule.map(Rule::off).orElse(OFF).test(value)) {
            report.ignore(file, name, "says that it is off");
        } else if (effect == Effect.REFUSED) {
            report.refuse(file, name, reason);
        } else {
            report.ignore(file, name, reason);
            report.warn(file + ": " + name + " " + reason + ", and is passed over");
        }
    }

    /// Whether a value says nothing, no, or none.
    private static boolean isOff(Object value) {
        return switch (value) {
            case null -> true;
            case Boolean flag -> !flag;
            case Number number -> number.doubleValue() == 0;
            case String text -> text.isEmpty() || text.equals("none");
            case Collection<?> list -> list.stream().allMatch(UnreadKeys::isOff);
            case Map<?, ?> map -> map.isEmpty();
            default -> value.getClass().isArray() && Metadata.elements(value).stream().allMatch(UnreadKeys::isOff);
        };
    }

    private static List<Rule> rules(Rule[]... groups) {
        return Arrays.stream(groups).flatMap(Arrays::stream).toList();
    }

    private static Rule[] none(String reason, String... names) {
        return Arrays.stream(names).map(name -> new Rule(name, Effect.NONE, OFF, reason)).toArray(Rule[]::new);
    }

    private static Rule[] refused(Predicate<Object> off, String reason, String... names) {
        return Arrays.stream(names).map(name -> new Rule(name, Effect.REFUSED, off, reason)).toArray(Rule[]::new);
    }

    private static Rule[] warned(String reason, String... names) {
        return Arrays.stream(names).map(name -> new Rule(name, Effect.WARNED, OFF, reason)).toArray(Rule[]::new);
    }
}
