package org.gatun.model.checkpoint;

import static org.gatun.model.LoadedModel.logits;
import static org.gatun.model.LoadedModel.refusal;
import static org.gatun.model.LoadedModel.tensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.gatun.backend.Backend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.format.FormatReport;
import org.gatun.format.SafetensorsFile;
import org.gatun.format.SafetensorsWriter;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SafetensorsOfGguf;
import org.gatun.model.convert.ModelQuantizer;
import org.gatun.model.convert.WeightTypes;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// What `config.json`, `generation_config.json` and safetensors say is done, changes nothing, or is refused by name.
class WhatConfigSaysTest {
    private static final long SEED = 29;
    private static final JsonMapper JSON = JsonMapper.shared();

    @TempDir
    Path directory;

    private Path model;

    @BeforeEach
    void write() throws IOException {
        Path gguf = RandomModel.tiny(SEED).withArchitecture("qwen2").write(directory.resolve("model.gguf"));
        model = directory.resolve("hf");
        SafetensorsOfGguf.write(gguf, model, Optional.empty());
    }

    private Path config(Consumer<ObjectNode> change) throws IOException {
        Path file = model.resolve("config.json");
        Path kept = directory.resolve("config.json");
        if (!Files.exists(kept)) {
            Files.copy(file, kept);
        }
        ObjectNode json = (ObjectNode) JSON.readTree(Files.readAllBytes(kept));
        change.accept(json);
        Files.writeString(file, json.toString());
        return model;
    }

    /// A key whose value is JSON, or `config.json` as it was if there is no key.
    private Path config(String key, String value) throws IOException {
        return config(json -> json.set(key, JSON.readTree(value)));
    }

    /// The tensors, changed and with more of them.
    private Path tensors(Consumer<SafetensorsWriter> more, String... without) throws IOException {
        Path file = model.resolve("model.safetensors");
        Path kept = directory.resolve("model.safetensors");
        if (!Files.exists(kept)) {
            Files.copy(file, kept);
        }
        try (SafetensorsFile source = SafetensorsFile.open(kept)) {
            SafetensorsWriter writer = new SafetensorsWriter();
            source.tensors().values().stream().filter(tensor -> !List.of(without).contains(tensor.name())).forEach(writer::tensor);
            more.accept(writer);
            Files.delete(file);
            writer.write(file);
        }
        return model;
    }

    private static void assertRefused(Path file, String... parts) {
        String message = refusal(file);
        for (String part : parts) {
            assertTrue(message.contains(part), message);
        }
    }

    private static FormatReport report(Path file) throws IOException {
        FormatReport report = new FormatReport();
        logits(file, report);
        return report;
    }

    @Test
    void load_everyKeyThatNobodyAsksFor_isRefusedOrChangesNothing() throws IOException {
        float[] plain = logits(model);
        for (UnreadKeys.Rule rule : UnreadKeys.OF_CONFIG.rules()) {
            String key = rule.name().replace("*", "x");
            String on = key.startsWith("is_causal") || key.equals("use_causal_mask") || key.equals("use_rope") || key.equals("rotary")
                    ? "false" : key.equals("auto_map") ? "{\"AutoModelForCausalLM\": \"modeling.Other\"}" : "7";
            config(key, on);
            if (rule.effect() == UnreadKeys.Effect.REFUSED) {
                assertRefused(model, "config.json: ", key, rule.reason());
            } else {
                FormatReport report = new FormatReport();
                assertArrayEquals(plain, logits(model, report), key);
                assertEquals(rule.effect() == UnreadKeys.Effect.WARNED ? 1 : 0, report.warnings().size(), key + report.warnings());
                assertTrue(report.entries(FormatReport.Use.IGNORED).stream().anyMatch(entry -> entry.name().equals(key)), key);
            }
            FormatReport off = new FormatReport();
            assertArrayEquals(plain, logits(config(key, "null"), off), key);
            assertEquals(List.of(), off.warnings(), key);
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\0', value = {
        "partial_rotary_factor | 1.0", "attention_bias | false", "mlp_bias | false", "final_logit_softcapping | null",
        "num_experts | 0", "layer_types | [\"full_attention\", \"full_attention\"]", "pretraining_tp | 4", "attention_dropout | 0.1",
        "rope_scaling | null", "rope_scaling | {\"rope_type\": \"default\"}", "rope_scaling | {\"type\": \"linear\", \"factor\": 1.0}",
        "torch_dtype | \"bfloat16\"", "use_sliding_window | false", "pad_token_id | -1", "hidden_act | \"silu\"", "head_dim | 8",
        "head_dim | null", "num_key_value_heads | [2, 2]", "num_attention_heads | 4.0", "max_window_layers | 21",
        "rope_theta | 10000", "architectures | [\"Qwen2ForCausalLM\"]", "auto_map | {\"AutoTokenizer\": \"tokenization.Other\"}"})
    void load_valueThatIsTheUsualOne_changesNothing(String key, String value) throws IOException {
        float[] plain = logits(model);
        FormatReport report = new FormatReport();

        assertArrayEquals(plain, logits(config(key.strip(), value.strip()), report));
        assertEquals(List.of(), report.warnings());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\0', value = {
        "hidden_act | \"gelu\" | activation 'gelu' is not supported: expected silu",
        "hidden_activation | \"gelu_pytorch_tanh\" | activation 'gelu_pytorch_tanh'",
        "architectures | [\"Qwen2ForSequenceClassification\"] | ForCausalLM",
        "model_type | \"gemma\" | 'gemma' is not supported",
        "rope_scaling | {\"rope_type\": \"dynamic\", \"factor\": 2.0} | rope_scaling.rope_type: rope scaling 'dynamic'",
        "rope_scaling | {\"type\": \"longrope\", \"long_factor\": [1.0]} | rope scaling 'longrope'",
        "rope_scaling | {\"rope_type\": \"default\", \"factor\": 2.0} | rope_scaling.factor",
        "rope_scaling | {\"rope_type\": \"linear\", \"factor\": 2.0, \"twist\": 1} | rope_scaling.twist: is not known",
        "rope_parameters | {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5} | rope_parameters.partial_rotary_factor",
        "quantization_config | {\"quant_method\": \"gptq\", \"bits\": 4} | quantization_config.quant_method: weights quantized by 'gptq'",
        "quantization_config | {\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\"} | 'pack-quantized'",
        "layer_types | [\"sliding_attention\", \"full_attention\"] | layer_types",
        "layer_types | [\"full_attention\"] | layer_types is [\"full_attention\"]: expected",
        "num_key_value_heads | [2, 4] | num_key_value_heads is [2,4]: expected the same for each layer",
        "intermediate_size | [64] | intermediate_size is [64]: expected a whole number, or one for each of the 2 layers",
        "num_hidden_layers | 2.5 | num_hidden_layers is 2.5: expected a whole number",
        "vocab_size | 4294967328 | vocab_size is 4294967328: expected a whole number",
        "rms_norm_eps | \"small\" | rms_norm_eps is \"small\": expected a number",
        "attention_bias | true | self_attn.o_proj.bias is missing", "mlp_bias | true | mlp.down_proj.bias is missing"})
    void load_valueThatIsNotDone_isRefusedByName(String key, String value, String message) throws IOException {
        Consumer<ObjectNode> change = json -> json.set(key.strip(), JSON.readTree(value));
        // in Qwen 2 the key does not matter
        assertRefused(config(key.strip().equals("attention_bias") ? change.andThen(json -> json.put("model_type", "llama")) : change),
                message.strip());
    }

    /// The keys that the Hugging Face library and those who publish models write, with usual values.
    @ParameterizedTest
    @ValueSource(strings = {
        "{\"architectures\": [\"Qwen2ForCausalLM\"], \"attention_bias\": false, \"attention_dropout\": 0.0, \"bos_token_id\": 1, "
                + "\"eos_token_id\": [2, 3], \"head_dim\": 8, \"hidden_act\": \"silu\", \"initializer_range\": 0.02, \"mlp_bias\": false, "
                + "\"pretraining_tp\": 1, \"rope_scaling\": null, \"rope_theta\": 10000.0, \"tie_word_embeddings\": false, "
                + "\"torch_dtype\": \"bfloat16\", \"transformers_version\": \"4.45.0\", \"use_cache\": true}",
        "{\"_name_or_path\": \"some/model\", \"max_window_layers\": 28, \"sliding_window\": 131072, \"use_mrope\": false, "
                + "\"use_sliding_window\": false, \"pad_token_id\": -1, \"_attn_implementation_autoset\": true, \"unsloth_fixed\": true}",
        "{\"dtype\": \"float16\", \"layer_types\": [\"full_attention\", \"full_attention\"], "
                + "\"rope_parameters\": {\"rope_theta\": 10000.0, \"rope_type\": \"default\"}, \"sliding_window\": null}",
        "{\"add_cross_attention\": false, \"bad_words_ids\": null, \"is_encoder_decoder\": false, \"is_decoder\": false, "
                + "\"id2label\": {\"0\": \"LABEL_0\"}, \"max_length\": 20, \"num_beams\": 1, \"output_attentions\": false, "
                + "\"pruned_heads\": {}, \"repetition_penalty\": 1.0, \"temperature\": 1.0, \"tf_legacy_loss\": false, "
                + "\"tie_encoder_decoder\": false, \"top_k\": 50, \"torchscript\": false, \"use_bfloat16\": false, "
                + "\"max_sequence_length\": 2048, \"chunk_size_feed_forward\": 0, \"return_dict\": true, \"tokenizer_class\": null}"})
    void load_keysOfPublishedModels_changeNothingWithoutAWord(String keys) throws IOException {
        float[] plain = logits(model);
        FormatReport report = new FormatReport();

        assertArrayEquals(plain, logits(config(json -> json.setAll((ObjectNode) JSON.readTree(keys))), report));
        assertEquals(List.of(), report.warnings());
    }

    @Test
    void load_everyKeyOfRopeScalingAndRemarks_isRefusedOrChangesNothing() throws IOException {
        float[] plain = logits(model);
        for (UnreadKeys.Rule rule : UnreadKeys.OF_ROPE.rules()) {
            config("rope_scaling", "{\"rope_type\": \"default\", \"%s\": 7}".formatted(rule.name()));
            if (rule.effect() == UnreadKeys.Effect.REFUSED) {
                assertRefused(model, "rope_scaling." + rule.name() + ": " + rule.reason());
            } else {
                assertArrayEquals(plain, logits(model), rule.name());
            }
        }
        config(_ -> { });
        FormatReport report = new FormatReport();
        assertArrayEquals(plain, logits(tensors(writer -> writer.put("format", "pt").put("note", "x")), report));
        assertEquals(List.of(), report.warnings());
        assertTrue(report(tensors(writer -> writer.put("format", "tf"))).warnings().getFirst().contains("__metadata__.format"));
    }

    @Test
    void load_everyKeyOfGeneration_isSaidOrChangesNothing() throws IOException {
        float[] plain = logits(model);
        for (UnreadKeys.Rule rule : UnreadKeys.OF_GENERATION.rules()) {
            Files.writeString(model.resolve("generation_config.json"), "{\"%s\": [7]}".formatted(rule.name()));
            FormatReport report = new FormatReport();
            assertArrayEquals(plain, logits(model, report), rule.name());
            assertEquals(rule.effect() == UnreadKeys.Effect.WARNED ? 1 : 0, report.warnings().size(), rule.name());
        }
    }

    @Test
    void load_keyThatIsNotKnown_isSaidOnceAndChangesNothing() throws IOException {
        float[] plain = logits(model);
        FormatReport report = new FormatReport();

        assertArrayEquals(plain, logits(config("novel_setting", "3"), report));
        assertEquals(List.of("config.json: novel_setting is not known, and is passed over"), report.warnings());
    }

    @Test
    void load_ropeScaling_isDoneInEitherSpelling() throws IOException {
        float[] plain = logits(model);
        float[] linear = logits(config("rope_scaling", "{\"type\": \"linear\", \"factor\": 4.0}"));

        assertFalse(Arrays.equals(plain, linear));
        assertArrayEquals(linear, logits(config("rope_scaling", "{\"rope_type\": \"linear\", \"factor\": 4}")));
        assertArrayEquals(linear, logits(config("rope_scaling", "{\"factor\": 4.0}")));
        assertArrayEquals(linear, logits(config("rope_parameters", "{\"rope_type\": \"linear\", \"factor\": 4.0, \"rope_theta\": 10000.0}")));
        assertArrayEquals(linear, ropeLogits("{\"rope_type\": \"linear\", \"factor\": 4.0}", "{\"type\": \"linear\", \"factor\": 4}"));
        assertArrayEquals(linear, ropeLogits("{\"rope_type\": \"linear\", \"factor\": 4.0}", "{}"));
        assertArrayEquals(linear, ropeLogits("{}", "{\"type\": \"linear\", \"factor\": 4.0}"));
        float[] yarn = logits(config("rope_scaling", "{\"type\": \"yarn\", \"factor\": 4.0, \"finetuned\": true, \"truncate\": true}"));
        assertArrayEquals(yarn, logits(config("rope_scaling",
                "{\"rope_type\": \"yarn\", \"factor\": 4.0, \"attention_factor\": " + (0.1 * Math.log(4) + 1) + "}")));
        assertFalse(Arrays.equals(yarn, logits(config("rope_scaling", "{\"type\": \"yarn\", \"factor\": 4.0, \"truncate\": false}"))));
        assertArrayEquals(logits(config("rope_scaling", "{\"type\": \"yarn\", \"factor\": 4.0, \"attention_factor\": 1.0}")),
                logits(config("rope_scaling", "{\"type\": \"yarn\", \"factor\": 4.0, \"mscale\": 0.7, \"mscale_all_dim\": 0.7}")));
    }

    private float[] ropeLogits(String parameters, String scaling) throws IOException {
        return logits(config(json -> json.<ObjectNode>set("rope_parameters", JSON.readTree(parameters))
                .set("rope_scaling", JSON.readTree(scaling))));
    }

    @Test
    void load_ropeScalingOtherThanRopeParameters_isRefusedByName() throws IOException {
        Path directory = config(json -> json.<ObjectNode>set("rope_parameters",
                JSON.readTree("{\"rope_type\": \"default\", \"rope_theta\": 10000.0}"))
                .set("rope_scaling", JSON.readTree("{\"rope_type\": \"linear\", \"factor\": 4.0}")));

        assertRefused(directory, "rope_scaling: says other than rope_parameters");
    }

    @Test
    void load_eosTokenIds_endATextByBothFiles() throws IOException {
        assertEquals(List.of(), ends(model));
        assertEquals(List.of(7), ends(config("eos_token_id", "7")));
        assertEquals(List.of(7, 9), ends(config("eos_token_id", "[9, 7]")));
        Files.writeString(model.resolve("generation_config.json"), "{\"eos_token_id\": [7, 11], \"temperature\": 0.6, \"top_p\": NaN}");
        assertEquals(List.of(7, 9, 11), ends(model));
        Files.writeString(model.resolve("generation_config.json"), "{\"eos_token_id\": 12}");
        assertEquals(List.of(12), ends(config("eos_token_id", "null")));
    }

    @Test
    void load_eosTokenIdOfNoToken_isSaidAndLeftOut() throws IOException {
        FormatReport report = report(config("eos_token_id", "[-1, 7, 32, 1e30, \"2\"]"));

        assertEquals(4, report.warnings().size());
        assertTrue(report.warnings().getFirst().contains("config.json: eos_token_id is -1, which is none of the 32 tokens"));
        assertEquals(List.of(7), ends(model));
    }

    private static List<Integer> ends(Path file) throws IOException {
        try (Backend backend = new ReferenceBackend(); Model model = Model.load(file, backend, ModelOptions.STANDARD)) {
            return IntStream.range(3, 32).filter(model.tokenizer()::isEndOfText).boxed().toList();
        }
    }

    @Test
    void quantize_toGguf_keepsEndTokens() throws IOException {
        config("eos_token_id", "[9, 7]");
        Path gguf = directory.resolve("out.gguf");
        try (ModelQuantizer quantizer = ModelQuantizer.open(model)) {
            quantizer.write(gguf, new WeightTypes(DType.F32), Optional.empty(), _ -> { });
        }

        assertEquals(List.of(7, 9), ends(gguf));
    }

    @Test
    void load_settingOfGenerationThatLimitsTokens_isSaid() throws IOException {
        Files.writeString(model.resolve("generation_config.json"), "{\"suppress_tokens\": [4], \"bad_words_ids\": null, \"novel\": 3}");
        FormatReport report = report(model);

        assertEquals(List.of("generation_config.json: suppress_tokens is not done, and is passed over"), report.warnings());
        for (String file : List.of("[]", "{", "{\"a\": 1, \"a\": 2}")) {
            Files.writeString(model.resolve("generation_config.json"), file);
            assertRefused(model, "generation_config.json");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"config.json", "generation_config.json", "model.safetensors.index.json", "tokenizer.json",
        "tokenizer_config.json", "chat_template.json"})
    void load_damagedJson_isRefusedByFileAndPlaceInOurWords(String name) throws IOException {
        for (Map.Entry<String, String> damaged : Map.of(
                "{", "line 1, column 2: the text ends in the middle of a value: expected the rest of it",
                "{\"a\": [1, {\"b\": \"c", "the text ends in the middle of a value",
                "{\n  \"a\": 1,\n  oops: 2\n}", "line 3, column 3: found text that is not JSON, 'oops: 2': expected JSON",
                "{\"a\": 1} {", "found text that is not JSON",
                "{\"a\": 01}", "found text that is not JSON, '",
                "{\"a\": " + "[".repeat(2000), "found values too deep in each other",
                "[1]", name.equals("tokenizer.json") ? "expected a tokenizer" : "found a list: expected a JSON object").entrySet()) {
            Files.writeString(model.resolve(name), damaged.getKey());
            String message = refusal(model);
            assertTrue(message.contains(name + ": ") && message.contains(damaged.getValue()), message);
            assertFalse(message.contains("Unexpected") || message.contains("Source") || message.contains("StreamRead"), message);
        }
    }

    @Test
    void load_ropeScalingWithoutWhatItsTypeNeeds_isRefusedByName() throws IOException {
        String llama3 = "\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
                + "\"original_max_position_embeddings\": 64";
        logits(config("rope_scaling", "{" + llama3 + "}"));
        for (String key : List.of("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")) {
            config("rope_scaling", "{" + llama3.replaceAll("(\"" + key + "\": )[0-9.]+", "$1null") + "}");
            assertRefused(model, "config.json: rope_scaling." + key + " is null: expected a ");
            config("rope_scaling", "{" + llama3.replaceAll("\"" + key + "\": [0-9.]+", "\"finetuned\": true") + "}");
            assertRefused(model, "config.json: rope_scaling." + key + " is missing: expected a ");
        }
        assertRefused(config("rope_scaling", "{\"type\": \"linear\", \"factor\": null}"), "rope_scaling.factor is null: expected a number");
        assertRefused(config("rope_parameters", "{\"rope_type\": \"linear\"}"), "rope_parameters.factor is missing: expected a number");
        assertArrayEquals(logits(config("rope_scaling", "{\"type\": \"yarn\", \"original_max_position_embeddings\": 64, \"factor\": 4.0}")),
                logits(config("rope_scaling", "{\"type\": \"yarn\", \"original_max_position_embeddings\": 64, \"factor\": null}")));
    }

    @Test
    void load_numbersThatPythonWrites_doNotStopIt() throws IOException {
        float[] plain = logits(model);
        String json = Files.readString(model.resolve("config.json"));
        Files.writeString(model.resolve("config.json"), json.replaceFirst("\\{", "{\"initializer_range\": NaN, \"top_k\": -Infinity, "));

        assertArrayEquals(plain, logits(model));
        Files.writeString(model.resolve("config.json"), json.replaceFirst("\"rms_norm_eps\":[^,}]*", "\"rms_norm_eps\": NaN"));
        assertRefused(model, "rms_norm_eps is ", "expected a number");
    }

    @Test
    void load_tiedEmbedding_isTheHeadWhateverHeadThereIs() throws IOException {
        float[] own = logits(model);
        config("tie_word_embeddings", "true");
        FormatReport report = new FormatReport();
        float[] tied = logits(model, report);

        assertFalse(Arrays.equals(own, tied));
        assertTrue(report.warnings().getFirst().contains("lm_head.weight is other than model.embed_tokens.weight"));
        assertArrayEquals(tied, logits(tensors(_ -> { }, "lm_head.weight")));
        config("tie_word_embeddings", "false");
        assertRefused(model, "lm_head.weight is missing");
    }

    @Test
    void load_tensorThatNobodyReads_isRefusedByName() throws IOException {
        for (String name : List.of("lm_head.bias", "model.norm.bias", "model.layers.2.self_attn.q_proj.weight",
                "model.layers.0.self_attn.o_proj.bias", "model.layers.0.self_attn.q_norm.weight", "model.layers.0.mlp.up_proj.lora_A.weight",
                "model.layers.0.mlp.up_proj.weight_scale", "score.weight")) {
            assertRefused(tensors(writer -> writer.tensor(tensor(name, DType.F32, 32))), name + ": architecture qwen2 of config.json has no place");
        }
        assertRefused(tensors(writer -> writer.tensor(tensor("model.layers.0.mlp.up_proj.weight", DType.I8, 64, 32)),
                "model.layers.0.mlp.up_proj.weight"), "mlp.up_proj.weight: weights of I8 are not supported");
    }

    @ParameterizedTest
    @ValueSource(strings = {"model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.1.attn.masked_bias", "model.position_ids",
        "vision_tower.patch.weight", "model.layers.0.self_attn.k_scale", "model.layers.0.mlp.up_proj.input_scale"})
    void load_tensorThatChangesNothing_isPassedOver(String name) throws IOException {
        float[] plain = logits(model);
        FormatReport report = new FormatReport();

        assertArrayEquals(plain, logits(tensors(writer -> writer.tensor(tensor(name, DType.F32, 4))), report));
        assertEquals(List.of(), report.warnings());
        assertTrue(report.entries(FormatReport.Use.IGNORED).stream().anyMatch(entry -> entry.name().equals(name)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"I8", "I32", "I64", "F64", "F8_E5M2", "U64", "F4"})
    void load_tensorOfATypeThatNobodyNeeds_doesNotStopIt(String type) throws IOException {
        float[] plain = logits(model);
        String data = " ".repeat(8);
        Path extra = model.resolve("model-00002-of-00002.safetensors");
        String header = "{\"__metadata__\": null, \"histogram\": {\"dtype\": \"%s\", \"shape\": [%d], \"data_offsets\": [0, 8]}}"
                .formatted(type, type.equals("F4") ? 16 : type.contains("64") ? 1 : type.equals("I32") ? 2 : 8);
        byte[] length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length()).array();
        Files.write(extra, (new String(length, StandardCharsets.ISO_8859_1) + header + data)
                .getBytes(StandardCharsets.ISO_8859_1));
        Path first = Files.move(model.resolve("model.safetensors"), model.resolve("model-00001-of-00002.safetensors"));
        ObjectNode index = JSON.createObjectNode().put("novel", 1);
        index.putObject("metadata").put("total_size", 8);
        try (SafetensorsFile file = SafetensorsFile.open(first)) {
            ObjectNode map = index.putObject("weight_map").put("histogram", extra.getFileName().toString());
            file.tensors().keySet().forEach(name -> map.put(name, first.getFileName().toString()));
        }
        Files.writeString(model.resolve("model.safetensors.index.json"), index.toString());

        for (Path named : List.of(model, first, extra)) {
            FormatReport report = new FormatReport();
            assertArrayEquals(plain, logits(named, report));
            assertEquals(1, report.warnings().size());
            assertTrue(report.warnings().getFirst().contains("histogram"), report.warnings().toString());
        }
    }

    @Test
    void load_tensorThatTheIndexDoesNotName_isOneOfTheModel() throws IOException {
        tensors(writer -> writer.tensor(tensor("model.layers.2.input_layernorm.weight", DType.F32, 32)));
        Path shard = Files.move(model.resolve("model.safetensors"), model.resolve("model-00001-of-00001.safetensors"));
        ObjectNode index = JSON.createObjectNode();
        try (SafetensorsFile file = SafetensorsFile.open(shard)) {
            ObjectNode map = index.putObject("weight_map");
            file.tensors().keySet().stream().filter(name -> !name.startsWith("model.layers.2"))
                    .forEach(name -> map.put(name, shard.getFileName().toString()));
        }
        Files.writeString(model.resolve("model.safetensors.index.json"), index.toString());

        assertRefused(model, "model.layers.2.input_layernorm.weight");
    }

    @Test
    void load_shapesWithOnes_areThoseWithout() throws IOException {
        float[] plain = logits(model);
        String norm = "model.layers.0.input_layernorm.weight";
        String up = "model.layers.0.mlp.up_proj.weight";
        try (SafetensorsFile source = SafetensorsFile.open(model.resolve("model.safetensors"))) {
            byte[] normBytes = source.tensors().get(norm).data().toArray(ValueLayout.JAVA_BYTE);
            byte[] upBytes = source.tensors().get(up).data().toArray(ValueLayout.JAVA_BYTE);
            tensors(writer -> writer.tensor(new Tensor(norm, DType.F32, Shape.of(32, 1), MemorySegment.ofArray(normBytes)))
                    .tensor(new Tensor(up, DType.F32, Shape.of(64, 32, 1, 1), MemorySegment.ofArray(upBytes))), norm, up);
        }

        assertArrayEquals(plain, logits(model));
    }

    @Test
    void load_biases_areDoneWhereConfigSaysSo() throws IOException {
        Path llama = directory.resolve("llama");
        SafetensorsOfGguf.write(RandomModel.tiny(SEED).write(directory.resolve("llama.gguf")), llama, Optional.empty());
        model = llama;
        Files.deleteIfExists(directory.resolve("config.json"));
        Files.deleteIfExists(directory.resolve("model.safetensors"));
        float[] plain = logits(llama);
        MemorySegment ones = MemorySegment.ofArray(new byte[64 * Float.BYTES]);
        for (int i = 0; i < 64; i++) {
            ones.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i, 1);
        }
        Consumer<SafetensorsWriter> biases = writer -> {
            for (int layer = 0; layer < 2; layer++) {
                for (String part : List.of("gate_proj", "up_proj", "down_proj")) {
                    int width = part.equals("down_proj") ? 32 : 64;
                    writer.tensor(new Tensor("model.layers." + layer + ".mlp." + part + ".bias", DType.F32, Shape.of(width),
                            ones.asSlice(0, 4L * width)));
                }
            }
        };
        tensors(biases);
        assertRefused(llama, "mlp.up_proj.bias", "architecture llama of config.json has no place for it");
        config("mlp_bias", "true");
        assertFalse(Arrays.equals(plain, logits(llama)));
    }

    @Test
    void load_slidingWindow_isThatOfTheLayersNamed() throws IOException {
        float[] plain = logits(model);
        Consumer<ObjectNode> window = json -> json.put("use_sliding_window", true).put("sliding_window", 2);
        float[] all = logits(config(window));
        float[] second = logits(config(window.andThen(json -> json.put("max_window_layers", 1))));

        assertFalse(Arrays.equals(plain, all) || Arrays.equals(all, second) || Arrays.equals(plain, second));
        assertArrayEquals(second, logits(config(window.andThen(
                json -> json.putArray("layer_types").add("full_attention").add("sliding_attention")))));
        assertArrayEquals(plain, logits(config(window.andThen(
                json -> json.putArray("layer_types").add("full_attention").add("full_attention")))));
        assertArrayEquals(plain, logits(config(json -> json.put("use_sliding_window", false).put("sliding_window", 2))));
    }

    @Test
    void report_everyKeyAndTensor_isThere() throws IOException {
        FormatReport report = report(model);
        List<String> noted = report.entries().stream().map(FormatReport.Entry::name).toList();

        assertTrue(noted.containsAll(JSON.readTree(Files.readAllBytes(model.resolve("config.json"))).propertyNames()));
        try (SafetensorsFile file = SafetensorsFile.open(model)) {
            assertTrue(noted.containsAll(file.tensors().keySet()));
        }
        assertEquals(List.of(), report.entries(FormatReport.Use.IGNORED));
    }
}
