// Shows only the calls whose line holds what was typed; without this script the page shows all.
const field = document.querySelector('#filter');
field.closest('p').hidden = false;
field.addEventListener('input', () => {
  const wanted = field.value.trim().toLowerCase();
  for (const line of document.querySelectorAll('nav li')) {
    line.hidden = !line.textContent.toLowerCase().includes(wanted);
  }
});
// Lines to paste go to where this page came from.
for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin;
