package org.gatun.speculative;

/// What a way to draft needs besides the text; known before anything is opened for it.
///
/// @param draftModel a second model with the target's tokens
/// @param logits what the target computes for the rows of a pass, read by [Step#mostProbable] and [Step#distribution]
/// @param targetLayers passes of some of the target's layers over the text's own pages ([org.gatun.model.SequenceState#partial]), which take
///        a turn of their own: not for who runs the steps of many texts in one pass
public record Requirements(boolean draftModel, boolean logits, boolean targetLayers) {
    /// The text is enough.
    public static final Requirements NONE = new Requirements(false, false, false);
    public static final Requirements DRAFT_MODEL = new Requirements(true, false, false);
    public static final Requirements LOGITS = new Requirements(false, true, false);
    public static final Requirements TARGET_LAYERS = new Requirements(false, false, true);

    /// What both need.
    public Requirements and(Requirements other) {
        return new Requirements(draftModel || other.draftModel, logits || other.logits, targetLayers || other.targetLayers);
    }

    /// These where a draft model is used only if there is one.
    public Requirements withoutDraftModel() {
        return new Requirements(false, logits, targetLayers);
    }
}
