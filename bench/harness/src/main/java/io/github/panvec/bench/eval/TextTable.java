package io.github.panvec.bench.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Columns of text, as wide as their widest cell; the first columns to the left, numbers to the
 * right.
 */
public final class TextTable {
  private final int leftColumns;
  private final List<String[]> rows = new ArrayList<>();

  /**
   * @param leftColumns how many columns at the start are aligned to the left
   * @param header one word per column
   */
  public TextTable(int leftColumns, String... header) {
    this.leftColumns = leftColumns;
    rows.add(header);
  }

  /** A row; its last cell may be a remark that runs over the columns that follow. */
  public void row(String... cells) {
    rows.add(cells);
  }

  /** Lines without trailing blanks, each ended by a newline. */
  @Override
  public String toString() {
    int columns = rows.get(0).length;
    int[] width = new int[columns];
    for (String[] row : rows) {
      // The last cell of a short row is a remark and widens nothing.
      int counted = row.length < columns ? row.length - 1 : columns;
      for (int i = 0; i < counted; i++) {
        width[i] = Math.max(width[i], row[i].length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (int r = 0; r < rows.size(); r++) {
      line(text, rows.get(r), width);
      if (r == 0) {
        text.append("-".repeat(Arrays.stream(width).sum() + 2 * (columns - 1))).append('\n');
      }
    }
    return text.toString();
  }

  private void line(StringBuilder text, String[] row, int[] width) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < row.length; i++) {
      String blanks = " ".repeat(Math.max(0, width[i] - row[i].length()));
      boolean remark = row.length < width.length && i == row.length - 1;
      line.append(i == 0 ? "" : "  ")
          .append(i < leftColumns || remark ? row[i] + blanks : blanks + row[i]);
    }
    text.append(line.toString().stripTrailing()).append('\n');
  }
}
