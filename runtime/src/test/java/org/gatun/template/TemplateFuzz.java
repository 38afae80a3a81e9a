package org.gatun.template;

import java.time.LocalDateTime;
import java.util.Random;

/// A process that renders random templates, in a heap that is as small as a template's bounds allow.
///
/// Arguments: how many templates, seed.
final class TemplateFuzz {
    static final long MAX_NANOS = 20_000_000_000L; // the bound is 5 seconds of work, on a machine that may have other work

    private TemplateFuzz() {}

    public static void main(String[] arguments) {
        int rounds = Integer.parseInt(arguments[0]);
        RandomTemplates templates = new RandomTemplates(new Random(Long.parseLong(arguments[1])));
        int rendered = 0;
        int refused = 0;
        long longest = 0;
        for (int i = 0; i < rounds; i++) {
            String template = templates.next();
            long start = System.nanoTime();
            try {
                Template.parse(template).render(TemplateTest.values(), () -> LocalDateTime.of(2026, 3, 4, 5, 6, 7));
                rendered++;
            } catch (IllegalArgumentException e) {
                if (e.getMessage() == null || e.getMessage().isBlank()) {
                    throw new AssertionError("a refusal without a reason: " + template, e);
                }
                refused++;
            } catch (RuntimeException | Error e) {
                throw new AssertionError("round " + i + ": " + template, e);
            }
            long nanos = System.nanoTime() - start;
            longest = Math.max(longest, nanos);
            if (nanos > MAX_NANOS) {
                throw new AssertionError("round " + i + " took " + nanos / 1_000_000 + " ms: " + template);
            }
        }
        System.out.println(rendered + " rendered, " + refused + " refused, the longest took " + longest / 1_000_000 + " ms");
    }
}
