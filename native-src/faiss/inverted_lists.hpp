// Lists of slots with their codes, one for each centroid. They grow in pieces of fixed size, so that appending takes
// the same short time however long a list is: it is done where searches wait.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace panvec {

class InvertedLists {
 public:
  static constexpr std::size_t kSlotsPerPiece = 64;

  InvertedLists(std::size_t lists, std::size_t code_bytes) : code_bytes_(code_bytes), lists_(lists) {}

  std::size_t size() const { return lists_.size(); }
  std::size_t memory_bytes() const {
    return lists_.capacity() * sizeof(List) + pieces_ * (piece_bytes() + sizeof(Piece) + 16);
  }

  // Strong guarantee. The position in the list; `code` may be NULL when codes have no bytes.
  std::size_t append(std::size_t list, std::uint32_t slot, const std::uint8_t* code) {
    List& to = lists_[list];
    const std::size_t position = to.size;
    if (position % kSlotsPerPiece == 0) {
      Piece piece(new std::uint8_t[piece_bytes()]);
      to.pieces.push_back(std::move(piece));
      ++pieces_;
    }
    std::uint8_t* piece = to.pieces.back().get();
    const std::size_t at = position % kSlotsPerPiece;
    std::memcpy(piece + at * sizeof slot, &slot, sizeof slot);
    if (code_bytes_ > 0) std::memcpy(piece + codes_offset() + at * code_bytes_, code, code_bytes_);
    ++to.size;
    return position;
  }

  // Calls piece(slots, codes, count) for all of a list.
  template <typename Visit>
  void visit(std::size_t list, Visit&& piece) const {
    const List& from = lists_[list];
    std::size_t left = from.size;
    for (const Piece& each : from.pieces) {
      const std::size_t count = std::min(left, kSlotsPerPiece);
      piece(reinterpret_cast<const std::uint32_t*>(each.get()), each.get() + codes_offset(), count);
      left -= count;
    }
  }

  const std::uint8_t* code(std::size_t list, std::size_t position) const {
    return lists_[list].pieces[position / kSlotsPerPiece].get() + codes_offset() +
           position % kSlotsPerPiece * code_bytes_;
  }

 private:
  using Piece = std::unique_ptr<std::uint8_t[]>;
  struct List {
    std::size_t size = 0;
    std::vector<Piece> pieces;
  };

  static constexpr std::size_t codes_offset() { return kSlotsPerPiece * sizeof(std::uint32_t); }
  std::size_t piece_bytes() const { return codes_offset() + kSlotsPerPiece * code_bytes_; }

  std::size_t code_bytes_;
  std::vector<List> lists_;
  std::size_t pieces_ = 0;
};

}  // namespace panvec
