#include "apps/troupe/inspect/actor_tree.hpp"
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The length of the number at the front.
size_t digits(std::string_view text) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

bool leads_to(std::string_view parent, std::string_view path) {
  if (parent == "/") return path.size() > 1;
  return path.size() > parent.size() && path.starts_with(parent) && path[parent.size()] == '/';
}

/// An actor, or the prefix of a supervisor's path (see actor_trees).
struct node_facts {
  std::string path;
  uint32_t restarts = 0;
  bool is_actor = true;
};

std::vector<node_facts> with_prefixes(const std::vector<actor_facts>& actors) {
  constexpr std::string_view ending = "/supervisor";
  std::vector<node_facts> all;
  std::set<std::string> paths;
  for (const actor_facts& facts : actors) {
    all.push_back({facts.path, facts.restarts, true});
    paths.insert(facts.path);
  }
  for (const actor_facts& facts : actors) {
    if (!facts.path.ends_with(ending) || facts.path.size() == ending.size()) continue;
    const std::string prefix = facts.path.substr(0, facts.path.size() - ending.size());
    if (paths.insert(prefix).second) all.push_back({prefix, 0, false});
  }
  return all;
}

/// Takes from `next` on all actors below `parent` (all there are, for an empty one).
std::vector<actor_node> take_children(std::string_view parent, const std::vector<node_facts>& sorted, size_t& next) {
  std::vector<actor_node> children;
  while (next < sorted.size() && (parent.empty() || leads_to(parent, sorted[next].path))) {
    const node_facts& facts = sorted[next++];
    actor_node node;
    node.path = facts.path;
    node.label = parent.empty() ? facts.path : facts.path.substr(parent == "/" ? 1 : parent.size() + 1);
    node.restarts = facts.restarts;
    node.is_actor = facts.is_actor;
    node.children = take_children(node.path, sorted, next);
    children.push_back(std::move(node));
  }
  return children;
}

std::string restarts_text(const actor_node& node) {
  return node.restarts == 0 ? "" : "  (restarts: " + std::to_string(node.restarts) + ")";
}

void draw_children(const actor_node& node, const std::string& indent, std::string& out) {
  for (const actor_node& child : node.children) {
    const bool last = &child == &node.children.back();
    out += indent + (last ? "└── " : "├── ") + child.label + restarts_text(child) + "\n";
    draw_children(child, indent + (last ? "    " : "│   "), out);
  }
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

void dot_node(const actor_node& node, std::string& out) {
  const std::string style = node.is_actor ? "" : ", style=dashed";
  out += "  " + quoted(node.path) + " [label=" + quoted(node.label + restarts_text(node)) + style + "];\n";
  for (const actor_node& child : node.children) {
    dot_node(child, out);
    out += "  " + quoted(node.path) + " -> " + quoted(child.path) + ";\n";
  }
}

} // namespace

bool comes_before(std::string_view path, std::string_view other) {
  while (!path.empty() && !other.empty()) {
    const size_t a = digits(path), b = digits(other);
    if (a > 0 && b > 0) {
      if (a != b) return a < b; // Numbers in paths have no leading zeros: the shorter is the smaller.
      if (const int order = path.substr(0, a).compare(other.substr(0, b)); order != 0) return order < 0;
      path.remove_prefix(a);
      other.remove_prefix(b);
    } else {
      // '/' ends a name, so that what is below "/layer/1" never mixes with "/layer/10" or "/layers".
      const auto rank = [](char c) { return c == '/' ? 0 : static_cast<int>(static_cast<unsigned char>(c)); };
      if (path[0] != other[0]) return rank(path[0]) < rank(other[0]);
      path.remove_prefix(1);
      other.remove_prefix(1);
    }
  }
  return path.empty() && !other.empty();
}

std::vector<actor_node> actor_trees(const std::vector<actor_facts>& actors) {
  std::vector<node_facts> sorted = with_prefixes(actors);
  std::stable_sort(sorted.begin(), sorted.end(), [](const node_facts& a, const node_facts& b) {
    return comes_before(a.path, b.path);
  });
  size_t next = 0;
  return take_children("", sorted, next);
}

std::string draw(const std::vector<actor_node>& trees) {
  std::string out;
  for (const actor_node& tree : trees) {
    out += tree.label + restarts_text(tree) + "\n";
    draw_children(tree, "", out);
  }
  return out;
}

std::string to_dot(const std::vector<actor_node>& trees) {
  std::string out = "digraph troupe {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const actor_node& tree : trees) dot_node(tree, out);
  return out + "}\n";
}

json to_json(const std::vector<actor_node>& trees) {
  json list = json::array();
  for (const actor_node& tree : trees) {
    json node{{"path", tree.path}};
    if (tree.is_actor) node["restarts"] = tree.restarts;
    node["children"] = to_json(tree.children);
    list.push_back(std::move(node));
  }
  return list;
}

} // namespace troupe
