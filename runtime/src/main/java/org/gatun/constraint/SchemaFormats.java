package org.gatun.constraint;

import java.util.Map;
import java.util.Set;

/// The formats that are enforced, as regular expressions. Others that JSON Schema names are refused, and those that it does not know are annotations.
final class SchemaFormats {
    private static final String DATE = "(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))"
            + "|(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
    private static final String TIME = "((([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d+)?([zZ]|[+-]([01]\\d|2[0-3]):[0-5]\\d))"
            + "|23:59:60(\\.\\d+)?([zZ]|[+-]00:00))";
    private static final String OCTET = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
    private static final String IPV4 = OCTET + "(\\." + OCTET + "){3}";
    private static final String GROUP = "[0-9a-fA-F]{1,4}";
    private static final String LAST = "(" + GROUP + ":" + GROUP + "|" + IPV4 + ")";
    private static final String IPV6 = "((" + GROUP + ":){6}" + LAST + "|::(" + GROUP + ":){5}" + LAST + "|(" + GROUP + ")?::(" + GROUP + ":){4}" + LAST
            + "|((" + GROUP + ":){0,1}" + GROUP + ")?::(" + GROUP + ":){3}" + LAST + "|((" + GROUP + ":){0,2}" + GROUP + ")?::(" + GROUP + ":){2}" + LAST
            + "|((" + GROUP + ":){0,3}" + GROUP + ")?::" + GROUP + ":" + LAST + "|((" + GROUP + ":){0,4}" + GROUP + ")?::" + LAST
            + "|((" + GROUP + ":){0,5}" + GROUP + ")?::" + GROUP + "|((" + GROUP + ":){0,6}" + GROUP + ")?::)";
    /// Up to 63 characters, no hyphens at third and fourth place, which are for encoded names.
    private static final String LABEL = "[a-zA-Z0-9]([a-zA-Z0-9]|[a-zA-Z0-9-][a-zA-Z0-9]|[a-zA-Z0-9-]{2}[a-zA-Z0-9]"
            + "|[a-zA-Z0-9-]([a-zA-Z0-9][a-zA-Z0-9-]|-[a-zA-Z0-9])[a-zA-Z0-9-]{0,58}[a-zA-Z0-9])?";
    private static final String HOST = LABEL + "(\\." + LABEL + ")*";
    private static final String EMAIL_ATOM = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+";
    private static final String EMAIL = "(" + EMAIL_ATOM + "(\\." + EMAIL_ATOM + ")*|\"([ !#-\\[\\]-~]|\\\\[ -~])*\")@(" + HOST + "|\\[" + IPV4 + "\\]|\\[IPv6:"
            + IPV6 + "\\])";
    private static final String ESCAPED = "%[0-9a-fA-F]{2}";
    private static final String PATH = "([a-zA-Z0-9._~!$&'()*+,;=:@-]|" + ESCAPED + ")";
    private static final String AUTHORITY = "(([a-zA-Z0-9._~!$&'()*+,;=:-]|" + ESCAPED + ")*@)?(\\[" + IPV6 + "\\]|\\[v[0-9a-fA-F]+\\.[a-zA-Z0-9._~!$&'()*+,;=:-]+\\]"
            + "|([a-zA-Z0-9._~!$&'()*+,;=-]|" + ESCAPED + ")*)(:[0-9]*)?";
    private static final String ROOTED = "//" + AUTHORITY + "(/" + PATH + "*)*|/(" + PATH + "+(/" + PATH + "*)*)?";
    private static final String BEHIND = "(\\?(" + PATH + "|[/?])*)?(#(" + PATH + "|[/?])*)?";
    private static final String URI = "[a-zA-Z][a-zA-Z0-9+.-]*:(" + ROOTED + "|" + PATH + "+(/" + PATH + "*)*|)" + BEHIND;
    private static final String RELATIVE = "(" + ROOTED + "|([a-zA-Z0-9._~!$&'()*+,;=@-]|" + ESCAPED + ")+(/" + PATH + "*)*|)" + BEHIND;
    private static final String POINTER = "(/([^~/]|~[01])*)*";
    private static final String TIME_SPAN = "T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S)";
    private static final String DATE_SPAN = "(\\d+Y(\\d+M(\\d+D)?)?|\\d+M(\\d+D)?|\\d+D)";

    private static final String VARIABLE = "([a-zA-Z0-9_]|" + ESCAPED + ")(\\.?([a-zA-Z0-9_]|" + ESCAPED + "))*(:[1-9][0-9]{0,3}|\\*)?";
    private static final String TEMPLATE = "([^\\u0000-\\u0020\"'%<>\\\\^`{|}\\u007F]|" + ESCAPED + "|\\{[+#./;?&=,!@|]?" + VARIABLE + "(," + VARIABLE + ")*\\})*";
    /// Formats that JSON Schema names and that are not enforced here.
    static final Set<String> REFUSED = Set.of("regex", "idn-email", "idn-hostname", "iri", "iri-reference");
    /// How long some may be, which their expressions do not say.
    static final Map<String, String> LENGTHS = Map.of("hostname", ".{1,253}", "email", ".{1,64}@[^@]{1,253}");
    /// Expressions that a whole text is to match, by name.
    static final Map<String, String> BY_NAME = Map.ofEntries(Map.entry("date", DATE), Map.entry("time", TIME), Map.entry("date-time", DATE + "[tT]" + TIME),
            Map.entry("duration", "P(\\d+W|" + DATE_SPAN + "(" + TIME_SPAN + ")?|" + TIME_SPAN + ")"), Map.entry("email", EMAIL),
            Map.entry("hostname", HOST), Map.entry("ipv4", IPV4), Map.entry("ipv6", IPV6), Map.entry("uri", URI),
            Map.entry("uri-reference", "(" + URI + "|" + RELATIVE + ")"),
            Map.entry("uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"), Map.entry("json-pointer", POINTER),
            Map.entry("uri-template", TEMPLATE),
            Map.entry("relative-json-pointer", "(0|[1-9][0-9]*)(#|" + POINTER + ")"));

    private SchemaFormats() {}
}
