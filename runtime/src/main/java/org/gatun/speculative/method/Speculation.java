package org.gatun.speculative.method;

import java.util.Optional;
import org.gatun.model.Model;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;

/// A method with its options set. Made by [SpeculationMethod#parse].
///
/// @param method which one
/// @param settings a value for every option of the method
public record Speculation(SpeculationMethod method, Settings settings) {
    /// Plain decoding.
    public static final Speculation NONE = SpeculationMethod.parse("none");

    /// What it needs besides the text, known before anything is opened.
    ///
    /// @throws IllegalArgumentException if a method named among the settings does not exist
    public Requirements requirements() {
        return method.needs().apply(settings);
    }

    /// A drafter for `target`, to be closed by the caller.
    ///
    /// @param draft a second model with the same vocabulary but for padding, for methods that need one
    /// @throws IllegalArgumentException if the method needs a draft model and there is none, or its vocabulary differs, or a file among
    ///         its options cannot be used
    public Drafter open(Model target, Optional<Model> draft) {
        if (requirements().draftModel()) {
            Model model = draft.orElseThrow(() -> new IllegalArgumentException(
                    "speculation method " + method.name() + " needs a draft model: give one with the same vocabulary"));
            if (!model.sharesVocabularyWith(target)) {
                throw new IllegalArgumentException("draft model " + model.name() + " has another vocabulary ("
                        + model.unpaddedVocabulary() + " tokens) than " + target.name() + " ("
                        + target.unpaddedVocabulary() + "): expected the same tokens but for padding at the end");
            }
        }
        return method.factory().open(target, draft, settings);
    }
}
