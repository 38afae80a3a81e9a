package org.gatun.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;

class NativeLayoutTest {
    private static final Path HEADER = Path.of("../native/gatun.h");

    /// What stands in the braces behind a name, without comments.
    private static List<String> entries(String name, String separator) throws IOException {
        Matcher braces = Pattern.compile(name + " \\{([^}]*)\\}").matcher(Files.readString(HEADER).replaceAll("(?s)/\\*.*?\\*/", ""));
        assertTrue(braces.find(), HEADER + " has no " + name);
        return Arrays.stream(braces.group(1).split(separator)).map(String::strip).filter(entry -> !entry.isEmpty()).toList();
    }

    /// What the kernels call their types, in the order of their numbers.
    private static List<String> typesOfTheHeader() throws IOException {
        return entries("enum gatun_type", ",");
    }

    /// Fields of a struct: name, and the size that C gives it, which is also where it may begin.
    private static List<String> fieldsOfTheHeader(String struct) throws IOException {
        return entries("struct " + struct, ";").stream().map(NativeLayoutTest::field).toList();
    }

    private static String field(String declaration) {
        String name = declaration.substring(declaration.lastIndexOf(declaration.contains("*") ? '*' : ' ') + 1);
        String type = declaration.contains("*") ? "pointer" : declaration.substring(0, declaration.length() - name.length()).strip();
        return name + switch (type) {
            case "pointer", "int64_t" -> " of 8 bytes";
            case "int32_t", "float" -> " of 4 bytes";
            default -> throw new AssertionError(declaration + ": a type that this test does not know");
        };
    }

    private static List<String> fields(StructLayout layout) {
        return layout.memberLayouts().stream().map(field -> field.name().orElseThrow() + " of " + field.byteSize() + " bytes").toList();
    }

    /// `headDim` of a record is `head_dim` of a struct.
    private static String snake(String name) {
        return name.replaceAll("(?<=[a-z])(?=[A-Z])", "_").toLowerCase(Locale.ROOT);
    }

    private static List<RecordComponent> components(Class<?> command) {
        return List.of(command.getRecordComponents());
    }

    private static String field(RecordComponent component) {
        return snake(component.getName()) + (component.getType() == MemorySegment.class ? " of 8 bytes" : " of 4 bytes");
    }

    @Test
    void layout_everyStruct_hasTheFieldsOfTheHeader() throws IOException {
        assertEquals(fieldsOfTheHeader("gatun_segment"), fields(NativeLayout.SEGMENT));
        assertEquals(fieldsOfTheHeader("gatun_batch"), fields(NativeLayout.BATCH));
        assertEquals(fieldsOfTheHeader("gatun_kv"), fields(NativeLayout.KV));
        assertEquals(fieldsOfTheHeader("gatun_kv_layer"), fields(NativeLayout.KV_LAYER));
        assertEquals(List.of("op of 4 bytes", "flags of 4 bytes", "operands of 48 bytes"), fields(NativeLayout.COMMAND));
    }

    @Test
    void operation_every_isTheNumberThatTheHeaderHasUnderItsName() throws IOException {
        List<String> operations = Arrays.stream(NativeLayout.Operation.values()).map(operation -> "GATUN_" + operation).toList();

        assertEquals(entries("enum gatun_op", ","), Stream.concat(operations.stream(), Stream.of("GATUN_OPS")).toList());
    }

    @Test
    void command_every_hasTheFieldsOfTheHeader() throws IOException {
        for (Class<?> command : Command.class.getPermittedSubclasses()) {
            String struct = "gatun_" + snake(command.getSimpleName());

            assertEquals(fieldsOfTheHeader(struct), components(command).stream().map(NativeLayoutTest::field).toList(), struct);
        }
        assertEquals(NativeLayout.Operation.values().length, Command.class.getPermittedSubclasses().length);
    }

    /// Each component has a value that no other has.
    private static Command numbered(Class<?> command, int first) throws ReflectiveOperationException {
        Object[] values = new Object[components(command).size()];
        for (int i = 0; i < values.length; i++) {
            Class<?> type = components(command).get(i).getType();
            values[i] = type == MemorySegment.class ? (Object) MemorySegment.ofAddress(first + i)
                    : type == float.class ? (Object) Float.intBitsToFloat(first + i) : type == boolean.class ? (Object) true : (Object) (first + i);
        }
        Class<?>[] types = components(command).stream().map(RecordComponent::getType).toArray(Class<?>[]::new);
        return (Command) command.getDeclaredConstructor(types).newInstance(values);
    }

    @Test
    void write_everyCommand_putsEachOperandWhereItsFieldIs() throws ReflectiveOperationException {
        int first = 1000;
        for (Class<?> command : Command.class.getPermittedSubclasses()) {
            MemorySegment target = MemorySegment.ofArray(new long[7]);

            numbered(command, first).write(target, 3);

            assertEquals(snake(command.getSimpleName()).toUpperCase(Locale.ROOT),
                    NativeLayout.Operation.values()[target.get(ValueLayout.JAVA_INT, 0)].name());
            assertEquals(3, target.get(ValueLayout.JAVA_INT, 4));
            long offset = 8;
            for (int i = 0; i < components(command).size(); i++) {
                RecordComponent component = components(command).get(i);
                boolean address = component.getType() == MemorySegment.class;
                long found = address ? target.get(ValueLayout.JAVA_LONG, offset) : target.get(ValueLayout.JAVA_INT, offset);
                assertEquals(component.getType() == boolean.class ? 1 : first + i, found, command.getSimpleName() + "." + component.getName());
                offset += address ? 8 : 4;
            }
        }
    }

    @Test
    void type_everyDType_isTheNumberThatTheHeaderHasUnderItsName() throws IOException {
        List<String> header = typesOfTheHeader();
        List<String> found = new ArrayList<>();
        for (DType dtype : DType.all()) {
            if (header.contains("GATUN_" + dtype)) {
                assertEquals("GATUN_" + dtype, header.get(NativeLayout.type(dtype)));
                found.add("GATUN_" + dtype);
            } else if (dtype == DType.NVFP4) {
                assertEquals("GATUN_BF16", header.get(NativeLayout.type(dtype)), "what weights make of it");
            } else {
                assertThrows(IllegalArgumentException.class, () -> NativeLayout.type(dtype), dtype.toString());
            }
        }

        assertEquals(header.size() - 1, found.size(), "the last entry of " + header + " is their number");
    }
}
