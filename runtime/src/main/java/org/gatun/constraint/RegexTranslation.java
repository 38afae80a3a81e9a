package org.gatun.constraint;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;
import org.gatun.constraint.RegexSyntax.Item;
import org.gatun.constraint.RegexSyntax.Item.Alternatives;
import org.gatun.constraint.RegexSyntax.Item.Begin;
import org.gatun.constraint.RegexSyntax.Item.Characters;
import org.gatun.constraint.RegexSyntax.Item.End;
import org.gatun.constraint.RegexSyntax.Item.Repeated;

/// An expression that was read, as one of a pool. Anchors are followed into groups at the ends: what stands there is distributed.
///
/// @param around what may stand before and behind a match where no anchor is
record RegexTranslation(String text, Regexes regexes, ToIntFunction<CodePoints> alphabet, int around) {
    private static final int MAX_ALTERNATIVES = 4096;

    int translate(Alternatives parsed) {
        List<Integer> parts = new ArrayList<>();
        for (List<Item> sequence : parsed.sequences()) {
            for (List<Item> each : distributed(sequence)) {
                int from = 0;
                int to = each.size();
                while (from < to && each.get(from) instanceof Begin) {
                    from++;
                }
                while (to > from && each.get(to - 1) instanceof End) {
                    to--;
                }
                parts.add(regexes.concat(from == 0 ? around : Regexes.EPSILON, sequence(each.subList(from, to)),
                        to == each.size() ? around : Regexes.EPSILON));
            }
        }
        return regexes.union(parts.stream().mapToInt(Integer::intValue).toArray());
    }

    /// The sequence, once for each alternative of groups with anchors that stand at its ends.
    private List<List<Item>> distributed(List<Item> sequence) {
        for (int i = 0; i < sequence.size(); i++) {
            boolean atAnEnd = sequence.subList(0, i).stream().allMatch(each -> each instanceof Begin)
                    || sequence.subList(i + 1, sequence.size()).stream().allMatch(each -> each instanceof End);
            if (atAnEnd && sequence.get(i) instanceof Alternatives group && hasAnchor(group)) {
                List<List<Item>> all = new ArrayList<>();
                for (List<Item> alternative : group.sequences()) {
                    List<Item> joined = new ArrayList<>(sequence.subList(0, i));
                    joined.addAll(alternative);
                    joined.addAll(sequence.subList(i + 1, sequence.size()));
                    all.addAll(distributed(joined));
                }
                if (all.size() > MAX_ALTERNATIVES) {
                    throw new IllegalArgumentException("regular expression '" + text + "': anchors in more than " + MAX_ALTERNATIVES
                            + " alternatives are not supported");
                }
                return all;
            }
        }
        return List.of(sequence);
    }

    private static boolean hasAnchor(Item item) {
        return switch (item) {
            case Characters _ -> false;
            case Alternatives group -> group.sequences().stream().flatMap(List::stream).anyMatch(RegexTranslation::hasAnchor);
            case Repeated repeated -> hasAnchor(repeated.item());
            case Begin _, End _ -> true;
        };
    }

    private int sequence(List<Item> items) {
        return regexes.concat(items.stream().mapToInt(this::item).toArray());
    }

    private int item(Item item) {
        return switch (item) {
            case Characters characters -> alphabet.applyAsInt(characters.set());
            case Alternatives group -> regexes.union(group.sequences().stream().mapToInt(this::sequence).toArray());
            case Repeated repeated -> regexes.repeat(item(repeated.item()), repeated.least(), repeated.most());
            case Begin _, End _ -> throw new IllegalArgumentException("regular expression '" + text
                    + "': an anchor elsewhere than at an end is not supported");
        };
    }
}
