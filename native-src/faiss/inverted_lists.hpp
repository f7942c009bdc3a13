// Lists of slots with their codes, one for each centroid. They grow in pieces of fixed size, so that appending takes
// the same short time however long a list is: it is done where searches wait.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "index_file.hpp"

namespace panvec {

class InvertedLists {
 public:
  static constexpr std::size_t kSlotsPerPiece = 64;

  InvertedLists(std::size_t lists, std::size_t code_bytes) : code_bytes_(code_bytes), lists_(lists) {}
  // Those of a mapped file, read where they are and never appended to. Their ids are slots: somebody has looked.
  InvertedLists(std::vector<SavedList> mapped, std::size_t code_bytes)
      : code_bytes_(code_bytes), mapped_(std::move(mapped)) {}

  std::size_t size(std::size_t list) const { return mapped_.empty() ? lists_[list].size : mapped_[list].size; }
  // How many entries of a list are of slots below `end`: the first ones, since slots are appended in their order.
  std::size_t size_below(std::size_t list, std::uint32_t end) const {
    std::size_t from = 0, to = lists_[list].size;
    while (from < to) {
      const std::size_t middle = (from + to) / 2;
      if (slot(list, middle) < end) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from;
  }
  std::size_t memory_bytes() const {
    return lists_.capacity() * sizeof(List) + mapped_.capacity() * sizeof(SavedList) + pieces_ * (piece_bytes() + sizeof(Piece) + 16);
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
    if (!mapped_.empty()) {
      visit_mapped(mapped_[list], piece);
      return;
    }
    const List& from = lists_[list];
    std::size_t left = from.size;
    for (const Piece& each : from.pieces) {
      const std::size_t count = std::min(left, kSlotsPerPiece);
      piece(reinterpret_cast<const std::uint32_t*>(each.get()), each.get() + codes_offset(), count);
      left -= count;
    }
  }

  std::uint32_t slot(std::size_t list, std::size_t position) const {
    if (!mapped_.empty()) return mapped_[list].slot(code_bytes_, position);
    const std::uint8_t* piece = lists_[list].pieces[position / kSlotsPerPiece].get();
    return reinterpret_cast<const std::uint32_t*>(piece)[position % kSlotsPerPiece];
  }

  const std::uint8_t* code(std::size_t list, std::size_t position) const {
    if (!mapped_.empty()) {
      return reinterpret_cast<const std::uint8_t*>(mapped_[list].codes) + position * code_bytes_;
    }
    return lists_[list].pieces[position / kSlotsPerPiece].get() + codes_offset() +
           position % kSlotsPerPiece * code_bytes_;
  }

 private:
  using Piece = std::unique_ptr<std::uint8_t[]>;
  struct List {
    std::size_t size = 0;
    std::vector<Piece> pieces;
  };

  template <typename Visit>
  void visit_mapped(const SavedList& from, Visit& piece) const {
    std::uint32_t slots[kSlotsPerPiece];
    for (std::size_t at = 0; at < from.size; at += kSlotsPerPiece) {
      const std::size_t count = std::min<std::size_t>(from.size - at, kSlotsPerPiece);
      for (std::size_t i = 0; i < count; ++i) slots[i] = from.slot(code_bytes_, at + i);
      piece(static_cast<const std::uint32_t*>(slots),
            reinterpret_cast<const std::uint8_t*>(from.codes) + at * code_bytes_, count);
    }
  }

  static constexpr std::size_t codes_offset() { return kSlotsPerPiece * sizeof(std::uint32_t); }
  std::size_t piece_bytes() const { return codes_offset() + kSlotsPerPiece * code_bytes_; }

  std::size_t code_bytes_;
  std::vector<List> lists_;
  std::vector<SavedList> mapped_;  // instead of lists_
  std::size_t pieces_ = 0;
};

}  // namespace panvec
