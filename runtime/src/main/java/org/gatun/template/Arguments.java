package org.gatun.template;

import java.util.List;
import java.util.Map;

/// What a function, filter, test or macro is called with.
///
/// @param function its name, for messages
record Arguments(String function, List<Value> positional, Map<String, Value> named) {

    static Arguments none(String function) {
        return new Arguments(function, List.of(), Map.of());
    }

    /// The arguments in the order of the parameters, null where one that need not be given is not.
    ///
    /// @param required how many parameters must be given
    Value[] bind(int required, String... parameters) {
        if (positional.size() > parameters.length) {
            throw new Refusal(function + ": " + positional.size() + " arguments, expected at most " + parameters.length);
        }
        Value[] bound = new Value[parameters.length];
        for (int i = 0; i < positional.size(); i++) {
            bound[i] = positional.get(i);
        }
        named.forEach((name, value) -> {
            int at = List.of(parameters).indexOf(name);
            if (at < 0) {
                throw new Refusal(function + ": no argument is called " + name);
            }
            if (bound[at] != null) {
                throw new Refusal(function + ": " + name + " is given twice");
            }
            bound[at] = value;
        });
        for (int i = 0; i < required; i++) {
            if (bound[i] == null) {
                throw new Refusal(function + ": expected the argument " + parameters[i]);
            }
        }
        return bound;
    }

    /// The one argument.
    Value only(String parameter) {
        return bind(1, parameter)[0];
    }

    /// The arguments but the first one.
    Arguments rest(String name) {
        return new Arguments(name, positional.subList(1, positional.size()), named);
    }
}
