/// Runs language models: plans, backends, file formats, tokenizers, models and decoding.
module org.gatun {
    requires transitive org.gatun.cuda.kernels;
    requires org.slf4j;
    requires transitive tools.jackson.databind;

    exports org.gatun.backend;
    exports org.gatun.backend.cpu;
    exports org.gatun.backend.cuda;
    exports org.gatun.backend.reference;
    exports org.gatun.constraint;
    exports org.gatun.decoding;
    exports org.gatun.format;
    exports org.gatun.generation;
    exports org.gatun.model;
    exports org.gatun.model.architecture;
    exports org.gatun.model.convert;
    exports org.gatun.plan;
    exports org.gatun.quantize;
    exports org.gatun.sampling;
    exports org.gatun.serving;
    exports org.gatun.speculative;
    exports org.gatun.speculative.adaptive;
    exports org.gatun.speculative.method;
    exports org.gatun.tensor;
    exports org.gatun.tokenizer;
}
