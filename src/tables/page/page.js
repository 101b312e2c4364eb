"use strict";
for (const stage of document.querySelectorAll(".stage")) {
  const slider = stage.querySelector("input");
  const move = () => stage.style.setProperty("--at", slider.value + "%");
  slider.addEventListener("input", move);
  move(); // a browser may restore what was set before a reload
}
function choose(number) {
  for (const stage of document.querySelectorAll(".stage")) {
    stage.querySelectorAll(".output").forEach((image, place) => image.classList.toggle("away", place !== number));
  }
}
for (const radio of document.querySelectorAll(".choice input")) {
  radio.addEventListener("change", () => choose(Number(radio.value)));
  if (radio.checked) choose(Number(radio.value));
}
