package org.gatun.cuda.simulator;

import java.io.ByteArrayOutputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.gatun.cuda.simulator.PtxLexer.Kind;
import org.gatun.cuda.simulator.PtxLexer.Token;

/// Reads PTX, as `nvcc` writes it and people do by hand.
///
/// Registers are resolved here, since blocks in braces may have their own; variables and labels are names until a kernel is
/// compiled.
final class PtxParser {
    /// Registers of a kernel and bytes of a variable beyond which a text is not taken seriously.
    private static final int MAX_REGISTERS = 1 << 20;
    private static final long MAX_BYTES = 1 << 28;
    private static final int DEEPEST = 64;

    private final List<Token> tokens;
    private final List<Ptx.Variable> variables = new ArrayList<>();
    private final List<Ptx.Entry> entries = new ArrayList<>();
    private final Map<Integer, String> files = new HashMap<>();
    private int at;

    /// Of the kernel that is being read.
    private final Deque<Map<String, Ptx.Register>> scopes = new ArrayDeque<>();
    private int registers;
    private String source = "";
    /// Opcode of the instruction at hand, for messages.
    private String instruction = "";

    private PtxParser(List<Token> tokens) {
        this.tokens = tokens;
    }

    /// @throws PtxException naming the line and what is wrong
    static Ptx parse(String text) {
        PtxParser parser = new PtxParser(PtxLexer.tokens(text));
        try {
            return parser.module();
        } catch (ArithmeticException e) {
            throw new PtxException(parser.peek().line(), "a number that is out of all bounds");
        }
    }

    private Ptx module() {
        int version = 0;
        int target = 0;
        boolean targetOnly = false;
        collectFiles();
        while (peek().kind() != Kind.END) {
            Token token = next();
            switch (token.text()) {
                case ".version" -> version = (int) Math.round(Double.parseDouble(number()) * 10);
                case ".target" -> {
                    targetOnly = peek().text().endsWith("a");
                    target = target(next());
                }
                case ".address_size" -> {
                    if (integer() != 64) {
                        throw new PtxException(token.line(), "found 32-bit addresses, expected .address_size 64");
                    }
                }
                case ".file", ".loc" -> restOfLine(token.line());
                case ".section" -> section();
                case ".visible", ".extern", ".weak", ".common" -> {}
                case ".entry" -> entry();
                case ".func" -> throw new PtxException(token.line(), "functions are not supported: inline it (__forceinline__)");
                case ".global" -> variable(Ptx.Space.GLOBAL, variables);
                case ".const" -> variable(Ptx.Space.CONST, variables);
                case ".shared" -> variable(Ptx.Space.SHARED, variables);
                default -> throw new PtxException(token.line(), "found '" + token.text() + "', expected a directive such as .entry");
            }
        }
        if (version == 0 || target == 0) {
            throw new PtxException(1, "no .version or no .target: this is not PTX");
        }
        return new Ptx(version, target, targetOnly, List.copyOf(variables), List.copyOf(entries), Map.copyOf(files));
    }

    private static int target(Token token) {
        String digits = token.text().replaceAll("^sm_(\\d+)[af]?$", "$1");
        if (!digits.matches("\\d{2,3}")) {
            throw new PtxException(token.line(), "found target '" + token.text() + "', expected one such as sm_80");
        }
        return Integer.parseInt(digits);
    }

    /// Files stand at the end of what nvcc writes, and are needed before.
    private void collectFiles() {
        for (int i = 0; i + 2 < tokens.size(); i++) {
            if (tokens.get(i).is(".file") && tokens.get(i + 2).kind() == Kind.STRING) {
                String path = tokens.get(i + 2).text();
                files.put((int) parseInteger(tokens.get(i + 1)), path.substring(path.lastIndexOf('/') + 1));
            }
        }
    }

    private void section() {
        int line = next().line();
        expect("{");
        while (!peek().is("}")) {
            if (next().kind() == Kind.END) {
                throw new PtxException(line, "a section has no end");
            }
        }
        next();
    }

    private void entry() {
        Token name = word();
        registers = 0;
        source = "";
        scopes.clear();
        scopes.push(new HashMap<>());
        List<Ptx.Variable> parameters = new ArrayList<>();
        if (peek().is("(")) {
            next();
            while (!peek().is(")")) {
                expect(".param");
                declaration(Ptx.Space.PARAM, parameters);
                if (peek().is(",")) {
                    next();
                }
            }
            next();
        }
        int maxThreads = 0;
        ClusterShape cluster = null;
        while (!peek().is("{")) {
            Token directive = next();
            List<Integer> numbers = new ArrayList<>();
            while (peek().kind() == Kind.NUMBER) {
                numbers.add(Math.toIntExact(integer()));
                if (peek().is(",")) {
                    next();
                }
            }
            switch (directive.text()) {
                case ".maxntid", ".reqntid" -> maxThreads = numbers.stream().reduce(1, Math::multiplyExact);
                case ".reqnctapercluster" -> cluster = cluster(directive, numbers);
                case ".minnctapersm", ".maxnctapersm", ".maxnreg", ".noreturn", ".explicitcluster", ".maxclusterrank" -> {}
                case ".pragma" -> {
                    next();
                    expect(";");
                }
                default -> throw new PtxException(directive.line(), "found '" + directive.text() + "' before the body of kernel "
                        + name.text() + ": not supported");
            }
        }
        List<Ptx.Variable> locals = new ArrayList<>();
        List<Ptx.Statement> statements = new ArrayList<>();
        next();
        body(locals, statements);
        entries.add(new Ptx.Entry(name.text(), List.copyOf(parameters), List.copyOf(locals), registers, List.copyOf(statements),
                maxThreads, cluster, name.line()));
    }

    private static ClusterShape cluster(Token directive, List<Integer> numbers) {
        if (numbers.isEmpty() || numbers.size() > 3 || numbers.stream().anyMatch(each -> each < 1)) {
            throw new PtxException(directive.line(), "found clusters of " + numbers + ", expected up to three numbers of 1 at least");
        }
        ClusterShape shape = new ClusterShape(numbers.get(0), numbers.size() > 1 ? numbers.get(1) : 1,
                numbers.size() > 2 ? numbers.get(2) : 1);
        if (shape.blocks() > ClusterShape.MAX_BLOCKS) {
            throw new PtxException(directive.line(),
                    "found clusters of " + shape + " blocks, expected " + ClusterShape.MAX_BLOCKS + " at most");
        }
        return shape;
    }

    private void body(List<Ptx.Variable> locals, List<Ptx.Statement> statements) {
        while (!peek().is("}")) {
            Token token = peek();
            if (token.kind() == Kind.END) {
                throw new PtxException(token.line(), "a kernel has no end: a brace is missing");
            }
            switch (token.text()) {
                case "{" -> {
                    next();
                    if (scopes.size() == DEEPEST) {
                        throw new PtxException(token.line(), "braces are nested more than " + DEEPEST + " deep");
                    }
                    scopes.push(new HashMap<>());
                    body(locals, statements);
                    scopes.pop();
                }
                case ";" -> next();
                case ".reg" -> registers();
                case ".shared", ".local", ".param" -> {
                    next();
                    variable(switch (token.text()) {
                        case ".shared" -> Ptx.Space.SHARED;
                        case ".local" -> Ptx.Space.LOCAL;
                        default -> throw new PtxException(token.line(), "calls are not supported: inline the function");
                    }, locals);
                }
                case ".loc" -> location();
                case ".pragma" -> {
                    next();
                    next();
                    expect(";");
                }
                default -> {
                    if (tokens.get(at + 1).is(":")) {
                        statements.add(new Ptx.Label(next().text()));
                        next();
                    } else {
                        statements.add(instruction());
                    }
                }
            }
        }
        next();
    }

    /// `.loc file line column`, and perhaps where that was inlined: the outermost place counts.
    private void location() {
        int line = next().line();
        long file = integer();
        long row = integer();
        while (peek().line() == line && peek().kind() != Kind.END) {
            if (next().is("inlined_at")) {
                file = integer();
                row = integer();
            }
        }
        source = files.getOrDefault((int) file, "file " + file) + ":" + row;
    }

    private void registers() {
        next();
        Token type = word();
        Ptx.RegisterClass kind = Ptx.RegisterClass.ofType(type.text().substring(1));
        if (kind == null) {
            throw new PtxException(type.line(), "registers of type " + type.text() + " are not supported");
        }
        do {
            Token name = next().is(",") ? word() : back();
            if (peek().is("<")) {
                next();
                long count = integer();
                expect(">");
                if (count > MAX_REGISTERS - registers) {
                    throw new PtxException(name.line(), count + " registers " + name.text() + " are too many");
                }
                for (int i = 0; i < count; i++) {
                    declare(name.text() + i, kind);
                }
            } else {
                declare(name.text(), kind);
            }
        } while (peek().is(","));
        expect(";");
    }

    private Token back() {
        return tokens.get(at - 1);
    }

    private void declare(String name, Ptx.RegisterClass kind) {
        scopes.peek().put(name, new Ptx.Register(registers++, name, kind));
    }

    private void variable(Ptx.Space space, List<Ptx.Variable> into) {
        declaration(space, into);
        expect(";");
    }

    private void declaration(Ptx.Space space, List<Ptx.Variable> into) {
        int alignment = 0;
        String type = null;
        while (peek().text().startsWith(".")) {
            Token token = next();
            switch (token.text()) {
                case ".align" -> alignment = Math.toIntExact(integer());
                case ".ptr", ".global", ".const", ".shared", ".volatile" -> {} // what a pointer points to
                default -> {
                    if (token.text().equals(".attribute")) {
                        throw new PtxException(token.line(), "attributes of variables are not supported");
                    }
                    type = token.text().substring(1);
                }
            }
        }
        Token name = word();
        int element = type == null ? 0 : byteSize(type);
        if (element == 0) {
            throw new PtxException(name.line(), "variable " + name.text() + " of type " + type + " is not supported");
        }
        long bytes = element;
        while (peek().is("[")) {
            next();
            bytes *= peek().is("]") ? 0 : integer();
            if (bytes > MAX_BYTES) {
                throw new PtxException(name.line(), "variable " + name.text() + " is too large");
            }
            expect("]");
        }
        byte[] initial = new byte[0];
        if (peek().is("=")) {
            next();
            initial = initial(type, element, name);
        }
        alignment = Math.max(alignment, element);
        if (Integer.bitCount(alignment) != 1 || alignment > 1 << 16) {
            throw new PtxException(name.line(), "variable " + name.text() + " is aligned to " + alignment + ": expected a power of 2");
        }
        into.add(new Ptx.Variable(space, name.text(), alignment, (int) Math.max(bytes, initial.length), initial));
    }

    private static int byteSize(String type) {
        return switch (type) {
            case "b8", "u8", "s8" -> 1;
            case "b16", "u16", "s16", "f16", "bf16" -> 2;
            case "b32", "u32", "s32", "f32", "f16x2", "bf16x2" -> 4;
            case "b64", "u64", "s64", "f64" -> 8;
            default -> 0;
        };
    }

    private byte[] initial(String type, int element, Token name) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int depth = 0;
        do {
            Token token = peek();
            if (token.is("{")) {
                next();
                depth++;
            } else if (token.is("}")) {
                next();
                depth--;
            } else if (token.is(",")) {
                next();
            } else {
                Ptx.Operand value = constant();
                long bits = switch (value) {
                    case Ptx.Operand.Whole(long whole) -> whole;
                    case Ptx.Operand.Real(double real, _) -> type.equals("f64") ? Double.doubleToRawLongBits(real)
                            : Float.floatToRawIntBits((float) real);
                    default -> throw new PtxException(token.line(), "variable " + name.text()
                            + ": only numbers are supported as initial values");
                };
                for (int i = 0; i < element; i++) {
                    bytes.write((int) (bits >> 8 * i));
                }
            }
        } while (depth > 0);
        return bytes.toByteArray();
    }

    private Ptx.Instruction instruction() {
        int start = at;
        Ptx.Register guard = null;
        boolean negated = false;
        if (peek().is("@")) {
            next();
            if (peek().is("!")) {
                next();
                negated = true;
            }
            guard = register(next());
        }
        Token opcode = word();
        instruction = opcode.text();
        List<Ptx.Operand> operands = new ArrayList<>();
        while (!peek().is(";")) {
            if (!operands.isEmpty()) {
                expect(",");
            }
            operands.add(operand());
        }
        next();
        StringBuilder text = new StringBuilder();
        for (int i = start; i < at - 1; i++) {
            String token = tokens.get(i).text();
            boolean tight = i == start || "@!,|+[]{}".contains(tokens.get(i - 1).text()) && !tokens.get(i - 1).is(",")
                    || ",|+[]{}".contains(token) && !tokens.get(i - 1).is(",") && i > start + 1;
            text.append(tight ? "" : " ").append(token);
        }
        return new Ptx.Instruction(opcode.text(), guard, negated, List.copyOf(operands), opcode.line(), source, text.toString());
    }

    private Ptx.Operand operand() {
        Token token = peek();
        switch (token.text()) {
            case "{" -> {
                next();
                List<Ptx.Operand> elements = new ArrayList<>();
                while (!peek().is("}")) {
                    elements.add(simple());
                    if (!peek().is("}")) {
                        expect(",");
                    }
                }
                next();
                return new Ptx.Operand.Vector(List.copyOf(elements));
            }
            case "[" -> {
                next();
                Ptx.Operand base = simple();
                long offset = 0;
                if (peek().is("+")) {
                    next();
                    offset = signed();
                }
                if (!peek().is("]")) {
                    throw new PtxException(token.line(), "found '" + peek().text() + "' in an address of " + instruction + ": not supported");
                }
                next();
                return new Ptx.Operand.Memory(base, offset);
            }
            case "!" -> {
                next();
                return new Ptx.Operand.Not(register(next()));
            }
            default -> {
                Ptx.Operand first = simple();
                if (peek().is("|")) {
                    next();
                    return new Ptx.Operand.Pair(first, simple());
                }
                return first;
            }
        }
    }

    private Ptx.Operand simple() {
        Token token = peek();
        if (token.kind() == Kind.NUMBER || token.is("-")) {
            return constant();
        }
        if (token.kind() != Kind.WORD) {
            throw new PtxException(token.line(), "found '" + token.text() + "', expected an operand");
        }
        next();
        if (token.is("_")) {
            return new Ptx.Operand.Sink();
        }
        Ptx.Register register = find(token.text());
        if (register != null) {
            return new Ptx.Operand.Reg(register);
        }
        if (token.text().startsWith("%")) {
            return new Ptx.Operand.Special(token.text());
        }
        long offset = 0;
        if (peek().is("+")) {
            next();
            offset = signed();
        }
        return new Ptx.Operand.Symbol(token.text(), offset);
    }

    private Ptx.Register register(Token name) {
        Ptx.Register register = find(name.text());
        if (register == null) {
            throw new PtxException(name.line(), "register " + name.text() + " is not declared");
        }
        return register;
    }

    private Ptx.Register find(String name) {
        for (Map<String, Ptx.Register> scope : scopes) {
            Ptx.Register register = scope.get(name);
            if (register != null) {
                return register;
            }
        }
        return null;
    }

    private long signed() {
        return constant() instanceof Ptx.Operand.Whole(long value) ? value : 0;
    }

    private Ptx.Operand constant() {
        boolean negative = peek().is("-");
        if (negative) {
            next();
        }
        Token token = next();
        String text = token.text();
        try {
            if (text.startsWith("0f") || text.startsWith("0F")) {
                float value = Float.intBitsToFloat(Integer.parseUnsignedInt(text.substring(2), 16));
                return new Ptx.Operand.Real(negative ? -value : value, false);
            }
            if (text.startsWith("0d") || text.startsWith("0D")) {
                double value = Double.longBitsToDouble(Long.parseUnsignedLong(text.substring(2), 16));
                return new Ptx.Operand.Real(negative ? -value : value, true);
            }
            if (text.indexOf('.') >= 0) {
                double value = Double.parseDouble(text);
                return new Ptx.Operand.Real(negative ? -value : value, true);
            }
        } catch (NumberFormatException e) {
            throw new PtxException(token.line(), "found '" + text + "', expected a number");
        }
        long value = parseInteger(token);
        return new Ptx.Operand.Whole(negative ? -value : value);
    }

    private static long parseInteger(Token token) {
        String text = token.text().replaceAll("U$", "");
        try {
            if (text.startsWith("0x") || text.startsWith("0X")) {
                return Long.parseUnsignedLong(text.substring(2), 16);
            }
            if (text.startsWith("0b") || text.startsWith("0B")) {
                return Long.parseUnsignedLong(text.substring(2), 2);
            }
            return text.length() > 1 && text.startsWith("0") ? Long.parseUnsignedLong(text, 8) : Long.parseUnsignedLong(text);
        } catch (NumberFormatException e) {
            throw new PtxException(token.line(), "found '" + token.text() + "', expected a whole number");
        }
    }

    private long integer() {
        return parseInteger(next());
    }

    private String number() {
        Token token = next();
        if (!token.text().matches("\\d+(\\.\\d+)?")) {
            throw new PtxException(token.line(), "found '" + token.text() + "', expected a number");
        }
        return token.text();
    }

    private Token word() {
        Token token = next();
        if (token.kind() != Kind.WORD) {
            throw new PtxException(token.line(), "found '" + token.text() + "', expected a name");
        }
        return token;
    }

    private void expect(String text) {
        Token token = next();
        if (!token.is(text)) {
            throw new PtxException(token.line(), "found '" + token.text() + "', expected '" + text + "'");
        }
    }

    private void restOfLine(int line) {
        while (peek().line() == line && peek().kind() != Kind.END) {
            next();
        }
    }

    private Token peek() {
        return tokens.get(at);
    }

    private Token next() {
        Token token = tokens.get(at);
        if (token.kind() != Kind.END) {
            at++;
        }
        return token;
    }
}
