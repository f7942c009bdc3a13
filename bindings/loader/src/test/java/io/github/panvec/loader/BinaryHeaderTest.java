package io.github.panvec.loader;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class BinaryHeaderTest {
  private static final Platform LINUX = new Platform("linux", "x86_64");
  private static final Platform MAC = new Platform("macos", "aarch64");

  private static BinaryHeader elf(int machine) {
    ByteBuffer header = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    header.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1});
    header.putShort(18, (short) machine);
    return BinaryHeader.of(header.array());
  }

  @Test
  void readsALibraryOfThisPlatform() throws IOException {
    BinaryHeader header = BinaryHeader.of(Fixtures.realLibrary());
    assertThat(header.arch()).isEqualTo(Fixtures.HERE.arch());
    assertThat(header.isForeignTo(Fixtures.HERE)).isFalse();
  }

  @Test
  void tellsTheCpuOfAnElfFile() {
    assertThat(elf(62).isForeignTo(LINUX)).isFalse();
    assertThat(elf(183).isForeignTo(LINUX)).isTrue();
    assertThat(elf(183).text()).isEqualTo("an ELF file for aarch64");
    assertThat(elf(183).isForeignTo(MAC)).isTrue();
    assertThat(elf(999).text()).isEqualTo("an ELF file for machine type 999");
  }

  @Test
  void tellsTheCpuOfAMachOFile() {
    ByteBuffer header = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(0xfeedfacf).putInt(0x0100000c);
    BinaryHeader arm = BinaryHeader.of(header.array());
    assertThat(arm.text()).isEqualTo("a Mach-O file for aarch64");
    assertThat(arm.isForeignTo(MAC)).isFalse();
    assertThat(arm.isForeignTo(LINUX)).isTrue();
  }

  @Test
  void aUniversalFileIsForEveryMac() {
    ByteBuffer header = ByteBuffer.allocate(64).putInt(0, 0xcafebabe);
    BinaryHeader universal = BinaryHeader.of(header.array());
    assertThat(universal.isForeignTo(MAC)).isFalse();
    assertThat(universal.isForeignTo(LINUX)).isTrue();
  }

  @Test
  void describesWhatIsNoLibrary() {
    assertThat(BinaryHeader.of(new byte[0]).text()).isEqualTo("an empty file");
    assertThat(BinaryHeader.of(new byte[7]).text())
        .isEqualTo("no library: it is only 7 bytes long");
  }
}
