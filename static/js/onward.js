// A page that another site had the browser bring: send on what it carries, now from our own address.

document.querySelector("form[data-onward]").submit();
