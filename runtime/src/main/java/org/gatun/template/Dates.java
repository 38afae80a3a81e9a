package org.gatun.template;

import java.time.LocalDateTime;
import java.time.format.TextStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;
import java.util.Locale;

/// Writes dates as `strftime` of C does, in English.
final class Dates {
    private Dates() {}

    static String format(LocalDateTime time, String format) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            int code = i + 1;
            while (c == '%' && code < format.length() && "-_0^".indexOf(format.charAt(code)) >= 0) {
                code++;
            }
            if (c != '%' || code >= format.length()) {
                text.append(c);
            } else {
                String field = field(time, format.charAt(code));
                text.append(field.isEmpty() && "zZ".indexOf(format.charAt(code)) < 0 ? format.substring(i, code + 1)
                        : flagged(field, format.substring(i + 1, code)));
                i = code;
            }
        }
        return text.toString();
    }

    private static String flagged(String field, String flags) {
        String text = field;
        for (char flag : flags.toCharArray()) {
            int noughts = 0;
            while (noughts < text.length() - 1 && (text.charAt(noughts) == '0' || text.charAt(noughts) == ' ')) {
                noughts++;
            }
            text = switch (flag) {
                case '-' -> text.substring(noughts);
                case '_' -> " ".repeat(noughts) + text.substring(noughts);
                case '0' -> "0".repeat(noughts) + text.substring(noughts);
                default -> text.toUpperCase(Locale.ROOT);
            };
        }
        return text;
    }

    /// Empty for what is no code.
    private static String field(LocalDateTime time, char code) {
        return switch (code) {
            case '%' -> "%";
            case 'n' -> "\n";
            case 't' -> "\t";
            case 'Y' -> Integer.toString(time.getYear());
            case 'C' -> two(time.getYear() / 100);
            case 'y' -> two(time.getYear() % 100);
            case 'm' -> two(time.getMonthValue());
            case 'B' -> time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'b', 'h' -> time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
            case 'd' -> two(time.getDayOfMonth());
            case 'e' -> "%2d".formatted(time.getDayOfMonth());
            case 'j' -> "%03d".formatted(time.getDayOfYear());
            case 'A' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'a' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
            case 'u' -> Integer.toString(time.getDayOfWeek().getValue());
            case 'w' -> Integer.toString(time.getDayOfWeek().getValue() % 7);
            case 'H' -> two(time.getHour());
            case 'k' -> "%2d".formatted(time.getHour());
            case 'I' -> two(time.get(ChronoField.CLOCK_HOUR_OF_AMPM));
            case 'l' -> "%2d".formatted(time.get(ChronoField.CLOCK_HOUR_OF_AMPM));
            case 'p' -> time.getHour() < 12 ? "AM" : "PM";
            case 'P' -> time.getHour() < 12 ? "am" : "pm";
            case 'M' -> two(time.getMinute());
            case 'S' -> two(time.getSecond());
            case 'f' -> "%06d".formatted(time.getNano() / 1000);
            case 'G' -> Integer.toString(time.get(IsoFields.WEEK_BASED_YEAR));
            case 'V' -> two(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
            case 'U' -> two((time.getDayOfYear() + 6 - time.getDayOfWeek().getValue() % 7) / 7);
            case 'W' -> two((time.getDayOfYear() + 6 - (time.getDayOfWeek().getValue() + 6) % 7) / 7);
            case 'F' -> format(time, "%Y-%m-%d");
            case 'D', 'x' -> format(time, "%m/%d/%y");
            case 'T', 'X' -> format(time, "%H:%M:%S");
            case 'R' -> format(time, "%H:%M");
            case 'r' -> format(time, "%I:%M:%S %p");
            case 'c' -> format(time, "%a %b %e %H:%M:%S %Y");
            default -> "";
        };
    }

    private static String two(int number) {
        return "%02d".formatted(number);
    }
}
