package org.gatun.template;

import java.util.HashMap;
import java.util.Map;

/// Variables, and the scope around them. What is assigned stays within; what is not found is looked for outside.
final class Scope {
    private final Scope outer;
    private final Map<String, Value> variables = new HashMap<>();

    /// @param outer null for the outermost
    Scope(Scope outer) {
        this.outer = outer;
    }

    /// Null if there is none.
    Value find(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Value value = scope.variables.get(name);
            if (value != null) {
                return value;
            }
        }
        return null;
    }

    void set(String name, Value value) {
        variables.put(name, value);
    }

    /// The variables of the whole template.
    Scope root() {
        Scope scope = this;
        while (scope.outer != null && scope.outer.outer != null) {
            scope = scope.outer;
        }
        return scope;
    }
}
