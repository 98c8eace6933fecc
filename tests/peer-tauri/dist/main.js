// As the product says it: once the first frame with content is out.
requestAnimationFrame(() => setTimeout(() => void window.__TAURI__.core.invoke('painted')));
document.querySelector('[data-testid=press]').addEventListener('click', (event) => {
  event.target.textContent = 'Pressed';
});
