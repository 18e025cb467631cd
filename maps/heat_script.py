"""The JavaScript of the heat map. Words from registers reach the page through ``textContent`` and attributes only."""

HEAT_SCRIPT = r"""
var hulan = (function () {
  "use strict";
  var records = JSON.parse(document.getElementById("hulan-records").textContent);
  var map = null;
  var markers = [];
  var SVG = "http://www.w3.org/2000/svg";

  function element(tag, className, text) {
    var node = document.createElement(tag);
    if (className) { node.className = className; }
    if (text !== undefined) { node.textContent = text; }
    return node;
  }

  function append(parent, children) {
    children.forEach(function (child) { if (child) { parent.appendChild(child); } });
    return parent;
  }

  function english(text) {
    var node = element("span", "en", text);
    node.lang = "en";
    return node;
  }

  function shape(level) {
    var look = records.looks[level];
    var svg = document.createElementNS(SVG, "svg");
    var path = document.createElementNS(SVG, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("class", "shape");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", look.path);
    path.setAttribute("fill", look.fill);
    path.setAttribute("stroke", look.edge);
    path.setAttribute("stroke-width", "1.8");
    path.setAttribute("stroke-linejoin", "round");
    svg.appendChild(path);
    return svg;
  }

  function levelLine(level) {
    var look = records.looks[level];
    return append(element("p", "level"), [shape(level), element("b", "", look.zh), english(look.en)]);
  }

  function facts(pairs) {
    var list = element("dl", "facts");
    pairs.forEach(function (pair) {
      var term = append(element("dt"), [element("span", "", pair[0]), english(pair[1])]);
      append(list, [term, element("dd", "", pair[2])]);
    });
    return list;
  }

  function reasons(rows) {
    var list = element("ol", "reasons");
    rows.forEach(function (row) {
      append(list, [append(element("li"), [
        element("time", "", row[0]), element("span", "zh", row[1]), english(row[2])
      ])]);
    });
    return list;
  }

  function heading(name) { return append(element("h2"), [element("bdi", "", name)]); }

  function venueCard(venue) {
    return append(element("article", "card"), [
      heading(venue.name),
      levelLine(venue.level),
      facts([
        ["类别", "Category", venue.category],
        ["计入事件", "Incidents", String(venue.count)],
        ["衰减得分", "Decayed score", venue.score]
      ]),
      append(element("h3", "", "依据 "), [english("Reasons")]),
      reasons(venue.reasons),
      element("p", "source", venue.source + " · " + records.rule),
      append(element("p", "caution", "线索，非结论 "), [english("A reason to look, never a verdict")])
    ]);
  }

  function areaCard(area) {
    return append(element("article", "card"), [
      append(element("h2", "", "区域 "), [english("Area")]),
      area.suppressed ? null : levelLine(area.level),
      facts([
        ["事件", "Incidents", area.incidents],
        ["每平方公里得分", "Score per km²", area.score],
        ["场所", "Venues", String(area.venues)],
        ["面积", "Cell area", area.km2 + " km²"]
      ]),
      element("p", "source", "H3 " + area.cell + " · " + records.rule)
    ]);
  }

  function siteCard(site) {
    return append(element("article", "card"), [
      heading(site.name),
      facts([["受保护场所", "Protected site", site.category]]),
      element("p", "source", site.source)
    ]);
  }

  function isNarrow() { return window.matchMedia("(max-width: 760px)").matches; }

  function popup(layer, build) {
    var width = Math.min(320, Math.max(200, window.innerWidth - 60));
    layer.bindPopup(build, {
      maxWidth: width, minWidth: Math.min(240, width), maxHeight: Math.max(200, Math.min(480, map.getSize().y - 100)),
      autoPanPaddingTopLeft: isNarrow() ? [12, 12] : [56, 12], autoPanPaddingBottomRight: [12, 40]
    });
  }

  function announce(marker, text) {
    marker.on("add", function () { marker.getElement().setAttribute("aria-label", text); });
  }

  function venueMarker(feature, latlng) {
    var venue = records.venues[feature.properties.i];
    var look = records.looks[venue.level];
    var words = venue.name + " · " + venue.category + " · " + look.zh + " " + look.en;
    var marker = L.marker(latlng, {
      icon: L.divIcon({html: shape(venue.level), className: "venue venue-" + venue.level, iconSize: [24, 24]}),
      title: words, riseOnHover: true, zIndexOffset: 10000 * look.rank
    });
    announce(marker, words);
    markers[feature.properties.i] = marker;
    return marker;
  }

  function siteMarker(feature, latlng) {
    var site = records.sites[feature.properties.i];
    var words = site.name + " · " + site.category;
    var marker = L.marker(latlng, {
      icon: L.divIcon({html: element("span", "", site.sign), className: "site", iconSize: [22, 22]}),
      title: words, zIndexOffset: -10000
    });
    announce(marker, words);
    return marker;
  }

  function areaStyle(feature) {
    var area = records.areas[feature.properties.i];
    var look = records.looks[area.level];
    if (area.suppressed) {
      return {color: look.edge, weight: 0.6, opacity: 0.5, fillColor: "url(#hulan-hatch)", fillOpacity: 0.55};
    }
    return {color: look.edge, weight: 1, opacity: 0.75, fillColor: look.fill, fillOpacity: look.area};
  }

  function backdropStyle(feature) { return records.backdrop[feature.properties.kind]; }

  function prepare(map_) {
    map = map_;
    ["backdrop", "areas", "grounds"].forEach(function (name, index) {
      map.createPane(name).style.zIndex = 350 + 20 * index;
    });
    map.getPane("backdrop").style.pointerEvents = "none";
    var crowding = Math.max(0, Math.log2(records.venues.length / 150) / 2);
    function showDetail() {
      var room = map.getZoom() - crowding;
      map.getContainer().dataset.detail = room < 11.5 ? "low" : room < 13 ? "middle" : "high";
    }
    document.addEventListener("keydown", function (event) {
      if (event.key === "Escape") { map.closePopup(); }
    });
    map.on("zoomend", showDetail);
    showDetail();
  }

  function goTo(index) {
    var marker = markers[index];
    if (!map.hasLayer(marker)) { marker.addTo(map); }
    map.getContainer().scrollIntoView({block: "nearest"});
    map.setView(marker.getLatLng(), Math.max(map.getZoom(), 15), {animate: false});
    marker.openPopup();
  }

  function listFirst() {
    var list = document.getElementById("hulan-first");
    if (!list) { return; }
    records.first.forEach(function (index) {
      var venue = records.venues[index];
      var button = append(element("button"), [
        shape(venue.level), element("bdi", "name", venue.name), element("span", "points", venue.score)
      ]);
      button.type = "button";
      button.addEventListener("click", function () { goTo(index); });
      append(list, [append(element("li"), [button])]);
    });
  }

  function finish(bounds) {
    function fit() {
      map.invalidateSize({animate: false});
      if (bounds) { map.fitBounds(bounds, {padding: [28, 28], maxZoom: 16, animate: false}); }
    }
    fit();
    listFirst();
    var before = null;
    window.addEventListener("beforeprint", function () {
      before = {center: map.getCenter(), zoom: map.getZoom()};
      document.documentElement.classList.add("printing");
      fit();
    });
    window.addEventListener("afterprint", function () {
      document.documentElement.classList.remove("printing");
      map.invalidateSize({animate: false});
      if (before) { map.setView(before.center, before.zoom, {animate: false}); }
    });
  }

  return {
    venueMarker: venueMarker,
    siteMarker: siteMarker,
    areaStyle: areaStyle,
    backdropStyle: backdropStyle,
    groundStyle: function () {
      return {color: "#20507a", weight: 1.6, opacity: 0.9, fillColor: "#5b8db8", fillOpacity: 0.28};
    },
    venueReady: function (feature, layer) {
      popup(layer, function () { return venueCard(records.venues[feature.properties.i]); });
    },
    areaReady: function (feature, layer) {
      popup(layer, function () { return areaCard(records.areas[feature.properties.i]); });
    },
    siteReady: function (feature, layer) {
      popup(layer, function () { return siteCard(records.sites[feature.properties.i]); });
    },
    prepare: prepare,
    finish: finish
  };
}());
"""
