(function () {
  "use strict";
  var find = document.getElementById("find"), band = document.getElementById("band");
  var review = document.getElementById("review"), count = document.getElementById("count");
  var nothing = document.getElementById("nothing"), timer = 0;
  var sections = Array.prototype.map.call(document.querySelectorAll("section.table"), function (section) {
    var own = section.querySelector("p");
    return {
      node: section,
      text: (section.querySelector("h3").textContent + " " + (own ? own.textContent : "")).toLowerCase(),
      rows: Array.prototype.map.call(section.querySelectorAll("tbody tr"), function (row) {
        var cells = row.children;
        return {
          node: row,
          text: (cells[0].textContent + " " + cells[3].textContent).toLowerCase(),
          band: cells[2].className,
          done: cells[4].textContent.trim() !== ""
        };
      })
    };
  });
  function show() {
    var words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    var has = function (text) { return words.every(function (word) { return text.includes(word); }); };
    var tables = 0, columns = 0, filtered = band.value || review.value;
    sections.forEach(function (section) {
      var whole = words.length > 0 && has(section.text), some = 0;
      section.rows.forEach(function (row) {
        var fits = (whole || has(row.text)) && (!band.value || row.band === band.value) &&
          (!review.value || row.done === (review.value === "done"));
        row.node.hidden = !fits;
        some += fits ? 1 : 0;
      });
      var shown = some > 0 || (!filtered && (whole || words.length === 0));
      section.node.hidden = !shown;
      tables += shown ? 1 : 0;
      columns += some;
    });
    nothing.hidden = tables > 0;
    count.textContent = counted(columns, "column") + " in " + counted(tables, "table");
  }
  function counted(number, one) { return number.toLocaleString("en") + " " + one + (number === 1 ? "" : "s"); }
  function soon() { clearTimeout(timer); timer = setTimeout(show, 120); }
  find.addEventListener("input", soon);
  band.addEventListener("change", show);
  review.addEventListener("change", show);
  find.form.addEventListener("submit", function (event) { event.preventDefault(); show(); });
  show();
})();
