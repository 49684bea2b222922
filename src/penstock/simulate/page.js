// One cursor for all charts, and the values under it.
const charts = [...document.querySelectorAll(".chart")];
const tip = document.getElementById("tip");
const { left, width, moments, times, values } = JSON.parse(document.getElementById("data").textContent);
const last = moments[moments.length - 1];

function nearest(moment) {
  let low = 0, high = moments.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle] < moment) low = middle + 1; else high = middle;
  }
  return low > 0 && moment - moments[low - 1] < moments[low] - moment ? low - 1 : low;
}

charts.forEach((chart, number) => {
  const svg = chart.querySelector("svg");
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const place = nearest(((x - left) / width) * last);
    const at = left + (width * moments[place]) / last;
    for (const cursor of document.querySelectorAll(".cursor")) {
      cursor.setAttribute("x1", at);
      cursor.setAttribute("x2", at);
      cursor.style.visibility = "visible";
    }
    const lines = values[number].map(([name, numbers]) => `${name}  ${numbers[place].toLocaleString("en")}`);
    tip.textContent = [times[place], ...lines].join("\n");
    tip.style.visibility = "visible";
    const right = event.clientX + 18 + tip.offsetWidth > innerWidth;
    tip.style.left = `${right ? event.clientX - 18 - tip.offsetWidth : event.clientX + 18}px`;
    tip.style.top = `${event.clientY + 14}px`;
  });
  svg.addEventListener("pointerleave", () => {
    tip.style.visibility = "hidden";
    for (const cursor of document.querySelectorAll(".cursor")) cursor.style.visibility = "hidden";
  });
});
