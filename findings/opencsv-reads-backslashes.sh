#!/bin/sh
# opencsv for Java (5.2 of Debian 12) reads a backslash in quotes as an escape character, and writes none: its CSVReader
# does not read what its CSVWriter wrote. C:\Temp loses the backslash, and a value that ends in one, such as C:\, takes the
# rest of the file into itself: readAll ends with CsvMalformedLineException, or, when later quotes match, with rows missing.
# RFC 4180 has no escape character. So a program in Java that reads exports of contacts needs RFC4180ParserBuilder.
set -eu
version=5.2-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "libopencsv-java=$version" libcommons-lang3-java=3.12.0-2+deb12u1 libcommons-text-java=1.10.0-1
for package in ./*.deb; do dpkg -x "$package" .; done
cat >Read.java <<'JAVA'
import com.opencsv.*;
import com.opencsv.exceptions.CsvException;
import java.io.*;
import java.util.*;

public class Read {
    static String written(String value) throws IOException {
        StringWriter text = new StringWriter();
        try (CSVWriter writer = new CSVWriter(text)) {
            writer.writeNext(new String[] {"ann@example.org", value});
            writer.writeNext(new String[] {"bob@example.org", ""});
        }
        return text.toString();
    }

    static String read(String text, ICSVParser parser) throws IOException {
        StringBuilder rows = new StringBuilder();
        try (CSVReader reader = new CSVReaderBuilder(new StringReader(text)).withCSVParser(parser).build()) {
            for (String[] row : reader.readAll()) rows.append(Arrays.toString(row));
        } catch (CsvException | IOException error) {
            rows.append(error.getClass().getSimpleName());
        }
        return rows.toString();
    }

    public static void main(String[] arguments) throws IOException {
        for (String value : new String[] {"C:\\Temp", "C:\\"}) {
            String text = written(value);
            System.out.println(value + " by CSVParser: " + read(text, new CSVParserBuilder().build()));
            System.out.println(value + " by RFC4180Parser: " + read(text, new RFC4180ParserBuilder().build()));
        }
    }
}
JAVA
path=$(find usr/share/java -name '*.jar' | tr '\n' ':').
javac -cp "$path" Read.java
java -cp "$path" Read >read
echo "opencsv $version"
cat read
cat >expected <<'END'
C:\Temp by CSVParser: [ann@example.org, C:Temp][bob@example.org, ]
C:\Temp by RFC4180Parser: [ann@example.org, C:\Temp][bob@example.org, ]
C:\ by CSVParser: CsvMalformedLineException
C:\ by RFC4180Parser: [ann@example.org, C:\][bob@example.org, ]
END
diff expected read
