package org.gatun.generation;

import java.util.List;

/// Holds text back as long as it could be the start of a stop string, and cuts at the first one found.
final class StopStrings {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean found;

    StopStrings(List<String> stops) {
        this.stops = stops;
    }

    /// Adds text and returns what can no longer be part of a stop string.
    String append(String text) {
        if (stops.isEmpty()) {
            return text;
        }
        held.append(text);
        int cut = stops.stream().mapToInt(held::indexOf).filter(index -> index >= 0).min().orElse(-1);
        if (cut >= 0) {
            found = true;
            held.setLength(cut);
            return finish();
        }
        int keep = 0;
        for (String stop : stops) {
            for (int length = Math.min(stop.length() - 1, held.length()); length > keep; length--) {
                if (held.substring(held.length() - length).equals(stop.substring(0, length))) {
                    keep = length;
                }
            }
        }
        String free = held.substring(0, held.length() - keep);
        held.delete(0, free.length());
        return free;
    }

    /// What is still held back.
    String finish() {
        String rest = held.toString();
        held.setLength(0);
        return rest;
    }

    /// Whether a stop string was met.
    boolean found() {
        return found;
    }
}
