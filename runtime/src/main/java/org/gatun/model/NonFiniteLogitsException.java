package org.gatun.model;

/// What a model says of the next token is not numbers: its weights hold NaN or infinities, or what they give overflows. No token can be
/// sampled from that, and none was.
public final class NonFiniteLogitsException extends ArithmeticException {
    private static final long serialVersionUID = 1L;

    NonFiniteLogitsException(Model model, int position) {
        super("logits of token " + position + " are not numbers: the weights of " + model.name() + " hold NaN or infinities, or what they "
                + "give overflows (keys and values are kept in " + model.kvType() + ")");
    }
}
