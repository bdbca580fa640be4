#pragma once
// The actors of an engine as a tree, for people and for Graphviz.
#include "actors/engine.hpp"
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// An actor with those whose paths are directly under its own.
struct actor_node {
  std::string path;  // "/replica/0/layer/3"
  std::string label; // What its path adds to its parent's: "layer/3".
  uint32_t restarts = 0;
  bool is_actor = true; // False for the common prefix of a supervisor's and its children's paths, where that is no actor's path.
  std::vector<actor_node> children;
};

/// The trees that the paths form: an actor's parent is the actor with the longest path that leads to its own, or the
/// prefix of a supervisor's path ("/replica/0" for "/replica/0/supervisor"). Siblings are in the order of their paths, numbers
/// in them by value.
std::vector<actor_node> actor_trees(const std::vector<actor_facts>& actors);

/// The order of siblings, for any two paths: "/layer/2" before "/layer/10", and an actor before what is below it.
bool comes_before(std::string_view path, std::string_view other);

/// With ├── and └──.
std::string draw(const std::vector<actor_node>& trees);
/// A digraph in Graphviz's language.
std::string to_dot(const std::vector<actor_node>& trees);
/// [{"path", "restarts", "children": [...]}]; a node that is no actor has no "restarts".
nlohmann::ordered_json to_json(const std::vector<actor_node>& trees);

} // namespace troupe
