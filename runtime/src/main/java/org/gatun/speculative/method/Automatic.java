package org.gatun.speculative.method;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.gatun.model.Model;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.adaptive.AutoDrafter;

/// Opens the drafters among which one is chosen as a text goes: those of the given methods that the models at hand allow.
final class Automatic {
    /// Rows of the largest trees, the root included: more cost more than they bring wherever that was measured.
    private static final int MAX_ROWS = 64;

    private Automatic() {}

    /// What the methods need that need no draft model, and of the others what they need besides.
    ///
    /// @throws IllegalArgumentException if there is no such method
    static Requirements requirements(String[] names) {
        return Arrays.stream(names).map(name -> SpeculationMethod.parse(name).requirements()).reduce(Requirements.NONE, Requirements::and)
                .withoutDraftModel();
    }

    /// @param names of methods, with standard options
    /// @throws IllegalArgumentException if there is no such method, or one samples its proposals or cannot be opened
    static Drafter open(String[] names, Model target, Optional<Model> draft) {
        List<Drafter> drafters = new ArrayList<>();
        try {
            for (String name : names) {
                Speculation speculation = SpeculationMethod.parse(name);
                if (speculation.method().samplesProposals()) {
                    throw new IllegalArgumentException("method " + name + " samples its proposals, so the text would depend on the clock: "
                            + "expected methods whose proposals are deterministic");
                }
                if (draft.isPresent() || !speculation.requirements().draftModel()) {
                    drafters.add(speculation.open(target, draft));
                }
            }
            return new AutoDrafter(drafters, MAX_ROWS);
        } catch (RuntimeException e) {
            drafters.forEach(Drafter::close);
            throw e;
        }
    }
}
