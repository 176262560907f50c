import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.util.JsonFormat;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.apache.pulsar.functions.proto.Function.FunctionDetails;
import org.apache.pulsar.functions.runtime.JavaInstanceStarter;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** What one release of Pulsar's Java instance takes: "table" prints it, "parse FILE" lets its own parsers read commands. */
public class Instance {
    public static void main(String[] args) throws Exception {
        if (args[0].equals("table")) {
            TreeSet<String> lines = new TreeSet<>();
            for (OptionSpec option : new CommandLine(new JavaInstanceStarter()).getCommandSpec().options()) {
                lines.add("java " + option.longestName() + " " + (option.arity().max() == 0 ? "switch"
                        : option.type() == int.class ? "int" : "text") + (option.required() ? " required" : ""));
            }
            message(FunctionDetails.getDescriptor(), lines);
            lines.forEach(System.out::println);
            return;
        }
        // A command is a line with a JSON array.
        int read = 0;
        for (List<String> command : commands(Path.of(args[1]))) {
            JavaInstanceStarter starter = new JavaInstanceStarter();
            new CommandLine(starter).parseArgs(command.toArray(new String[0]));
            FunctionDetails.Builder details = FunctionDetails.newBuilder();
            JsonFormat.parser().merge(starter.functionDetailsJsonString, details);
            details.build();
            read++;
        }
        System.out.println(read);
    }

    private static List<List<String>> commands(Path file) throws Exception {
        List<List<String>> commands = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            List<String> command = new ArrayList<>();
            new com.google.gson.Gson().fromJson(line, com.google.gson.JsonArray.class)
                    .forEach(argument -> command.add(argument.getAsString()));
            commands.add(command);
        }
        return commands;
    }

    private static void message(Descriptor message, TreeSet<String> lines) {
        for (FieldDescriptor field : message.getFields()) {
            FieldDescriptor value = field.isMapField() ? field.getMessageType().findFieldByName("value") : field;
            String type;
            switch (value.getJavaType()) {
                case MESSAGE: type = value.getMessageType().getName(); break;
                case ENUM: type = value.getEnumType().getName(); enumeration(value.getEnumType(), lines); break;
                default: type = value.getType().name().toLowerCase();
            }
            String many = field.isMapField() ? "map " : field.isRepeated() ? "list " : "one ";
            String line = "field " + message.getName() + " " + field.getJsonName() + " " + many + type;
            if (lines.add(line) && value.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
                message(value.getMessageType(), lines);
            }
        }
    }

    private static void enumeration(EnumDescriptor type, TreeSet<String> lines) {
        for (EnumValueDescriptor value : type.getValues()) {
            lines.add("enum " + type.getName() + " " + value.getName());
        }
    }
}
